//! A table whose ids are not given to another entry for 2³² entries.
//!
//! An id says where its entry is, so looking it up costs no search. It also says which entry of that place it
//! means. So news about an entry that is gone finds nothing, even if another entry is in its place by now.

use core::fmt;
use core::marker::PhantomData;

use slab::Slab;

/// An id that an [`Arena`] mints: a type of its own for each table, so that no id is looked up in another's.
pub trait Id: Copy {
    /// The id with these parts.
    fn from_parts(index: u32, generation: u32) -> Self;

    /// The place in the table.
    fn index(self) -> u32;

    /// Tells apart the entries that have had the place, and grows from each entry of the table to the next.
    fn generation(self) -> u32;
}

/// A table of entries, keyed by ids that it issues. Ids repeat after 2³² entries at the earliest.
pub struct Arena<I, T> {
    slots: Slab<Slot<T>>,
    /// The number of entries there ever were: the generation of the latest.
    minted: u32,
    ids: PhantomData<fn() -> I>,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    entry: T,
}

impl<I: Id, T> Arena<I, T> {
    /// An empty table, which takes no memory.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            slots: Slab::new(),
            minted: 0,
            ids: PhantomData,
        }
    }

    /// Adds an entry, and mints its id.
    pub fn insert(&mut self, entry: T) -> I {
        if self.slots.capacity() == 0 {
            // Most tables keep one entry: most nodes of a tree are leaves, with one link. A table that grows by
            // doubling begins with room for four.
            self.slots.reserve_exact(1);
        }
        self.minted = self.minted.wrapping_add(1);
        let generation = self.minted;
        let index = self.slots.insert(Slot { generation, entry });
        id(index, generation)
    }

    /// The entry with this id, if it is still there.
    #[must_use]
    pub fn get(&self, id: I) -> Option<&T> {
        let slot = self.slots.get(id.index() as usize)?;
        (slot.generation == id.generation()).then_some(&slot.entry)
    }

    /// The entry with this id, to be changed.
    pub fn get_mut(&mut self, id: I) -> Option<&mut T> {
        let slot = self.slots.get_mut(id.index() as usize)?;
        (slot.generation == id.generation()).then_some(&mut slot.entry)
    }

    /// Takes the entry with this id out of the table.
    pub fn remove(&mut self, id: I) -> Option<T> {
        self.get(id)?;
        let slot = self.slots.try_remove(id.index() as usize)?;
        Some(slot.entry)
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The entries in the order of their places. That order depends on nothing but the calls so far.
    pub fn iter(&self) -> impl Iterator<Item = (I, &T)> {
        let slots = self.slots.iter();
        slots.map(|(index, slot)| (id(index, slot.generation), &slot.entry))
    }

    /// The entries in the order of their places, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (I, &mut T)> {
        let slots = self.slots.iter_mut();
        slots.map(|(index, slot)| (id(index, slot.generation), &mut slot.entry))
    }

    /// The id of the entry that has the place of `gone`, as a table without generations would have it.
    pub(crate) fn in_place_of(&self, gone: I) -> I {
        let slot = self.slots.get(gone.index() as usize);
        let generation = slot.map_or(gone.generation(), |slot| slot.generation);
        I::from_parts(gone.index(), generation)
    }
}

/// A table never holds 2³² entries: memory ends first.
fn id<I: Id>(index: usize, generation: u32) -> I {
    I::from_parts(u32::try_from(index).unwrap_or(u32::MAX), generation)
}

impl<I: Id, T> Default for Arena<I, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<I: Id + fmt::Debug, T: fmt::Debug> fmt::Debug for Arena<I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::LinkId;
    use alloc::vec::Vec;

    #[test]
    fn an_id_never_finds_the_next_entry_at_its_index() {
        let mut arena = Arena::<LinkId, _>::new();
        let old = arena.insert("old");
        assert_eq!(arena.remove(old), Some("old"));
        let new = arena.insert("new");
        assert_eq!(new.index(), old.index());
        assert_eq!(arena.get(old), None);
        assert_eq!(arena.get_mut(old), None);
        assert_eq!(arena.remove(old), None);
        assert_eq!(arena.get(new), Some(&"new"));
    }

    #[test]
    fn generations_count_the_entries_from_one() {
        let mut arena = Arena::<LinkId, _>::new();
        for generation in 1..4 {
            let id = arena.insert(());
            assert_eq!((id.index(), id.generation()), (0, generation));
            arena.remove(id);
        }
    }

    #[test]
    fn iteration_follows_the_index() {
        let mut arena = Arena::<LinkId, _>::new();
        let first = arena.insert(1);
        let second = arena.insert(2);
        arena.remove(first);
        let third = arena.insert(3);
        let entries: Vec<_> = arena.iter().map(|(id, entry)| (id, *entry)).collect();
        assert_eq!(entries, [(third, 3), (second, 2)]);
        assert_eq!(arena.len(), 2);
    }

    #[test]
    fn a_table_of_one_entry_has_room_for_one() {
        let mut arena = Arena::<LinkId, _>::new();
        assert_eq!(arena.slots.capacity(), 0);
        arena.insert([0u8; 100]);
        assert_eq!(arena.slots.capacity(), 1);
    }
}
