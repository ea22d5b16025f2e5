//! Trees whose values are no longer needed, for the next that is read on the same thread.

use std::cell::RefCell;

use super::Tree;

thread_local! {
    static SPARE: RefCell<Vec<Tree>> = const { RefCell::new(Vec::new()) };
}

impl Tree {
    /// A tree to read a value into, in the memory of a retired one if there is any.
    pub(crate) fn spare() -> Self {
        SPARE.with_borrow_mut(Vec::pop).unwrap_or_default()
    }

    /// Leaves its memory to the next tree, unless there is enough of that or this is too large to keep.
    pub(crate) fn retire(self) {
        if self.capacity() <= SPARE_BYTES_MAX {
            SPARE.with_borrow_mut(|spare| {
                if spare.len() < SPARE_MAX {
                    spare.push(self);
                }
            });
        }
    }

    /// Gives back memory of which it uses less than half: it is to stay for long.
    pub(crate) fn settle(&mut self) {
        if self.nodes.capacity() > 2 * self.nodes.len() {
            self.nodes.shrink_to_fit();
        }
        if self.text.capacity() > 2 * self.text.len() {
            self.text.shrink_to_fit();
        }
    }
}

/// Trees that a thread keeps: one for each group of viewers of most games.
const SPARE_MAX: usize = 16;

/// The largest that is kept.
const SPARE_BYTES_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &[u8]) -> Tree {
        let mut tree = Tree::spare();
        tree.read(&value).unwrap();
        tree
    }

    #[test]
    fn no_more_memory_is_kept_than_the_bound_and_none_that_is_large() {
        for _ in 0..2 * SPARE_MAX {
            SPARE.with_borrow_mut(|spare| assert!(spare.len() <= SPARE_MAX));
            let mut tree = Tree::default();
            tree.read(&"text").unwrap();
            tree.retire();
        }
        SPARE.with_borrow_mut(Vec::clear);
        read(&vec![1; SPARE_BYTES_MAX]).retire();
        SPARE.with_borrow(|spare| assert!(spare.is_empty()));
    }

    #[test]
    fn tree_that_stays_holds_little_more_than_it_needs() {
        read(&[1; 2000]).retire();
        let mut small = read(&[1]);
        assert!(small.nodes.capacity() >= 2000, "it has the memory of the last");
        small.settle();
        assert!(small.nodes.capacity() < 16);
    }
}
