//! The other nodes, as settings tell where they are.

use std::fs;

use parlor_server::{
    ClusterConfig, Server,
    store::{Redis, RedisConfig},
};

use crate::settings::{Hidden, Settings};

/// Where the other nodes are, and how this one is one of them.
pub(crate) struct Nodes {
    redis: RedisConfig,
    cluster: ClusterConfig,
}

impl Nodes {
    /// Where they are, unless this one is alone. All but whether Redis is there is checked.
    pub(crate) fn of(settings: &Settings) -> Result<Option<Self>, String> {
        let Some(Hidden(url)) = &settings.redis.0 else { return Ok(None) };
        let mut redis = RedisConfig::new(url.expose());
        redis.prefix = settings.redis_prefix.clone();
        if let Some(path) = &settings.redis_ca.0 {
            let read = fs::read(path);
            redis.ca =
                Some(read.map_err(|error| format!("cannot read {}: {error}", path.display()))?);
        }
        redis.check().map_err(|error| error.to_string())?;
        let mut cluster = ClusterConfig::default();
        cluster.url = settings.node_url.0.clone();
        cluster.secret =
            settings.node_secret.0.as_ref().map(|Hidden(secret)| secret.expose().into());
        cluster.lease = settings.node_lease.0;
        cluster.silence_max = cluster.silence_max.min(cluster.lease / 2);
        cluster.record_ttl = settings.session_ttl.0;
        Ok(Some(Self { redis, cluster }))
    }

    /// Makes the server one of them. To be called inside of a runtime.
    pub(crate) fn join(self, server: Server) -> Result<Server, String> {
        let redis = Redis::new(&self.redis).map_err(|error| error.to_string())?;
        Ok(server.on_redis(&redis, self.cluster))
    }
}
