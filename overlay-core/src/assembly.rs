//! Putting a message together from its records.

use alloc::vec::Vec;

use crate::wire::Part;

/// A message of which some records have come, or none.
#[derive(Debug, Default)]
pub(crate) struct Assembly(Option<Vec<u8>>);

/// The effect of one more record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Assembled {
    /// More is to come.
    Part,
    /// The message is complete.
    Message(Vec<u8>),
    /// The sender has given the message up.
    Cancelled,
    /// The message is longer than it may be, and given up here.
    TooLong,
    /// The record does not belong behind the one before.
    Stray,
}

impl Assembly {
    /// Adds a record to a message of at most this length.
    pub(crate) fn push(&mut self, part: Part, payload: Vec<u8>, longest: usize) -> Assembled {
        match (part, self.0.take()) {
            (Part::Whole | Part::End, None) if payload.len() <= longest => {
                Assembled::Message(payload)
            }
            (Part::First, None) if payload.len() <= longest => {
                self.0 = Some(payload);
                Assembled::Part
            }
            (Part::Whole | Part::End | Part::First, None) => Assembled::TooLong,
            (Part::Middle | Part::Last, Some(before)) if before.len() + payload.len() > longest => {
                Assembled::TooLong
            }
            (Part::Middle, Some(mut message)) => {
                message.extend_from_slice(&payload);
                self.0 = Some(message);
                Assembled::Part
            }
            (Part::Last, Some(mut message)) => {
                message.extend_from_slice(&payload);
                Assembled::Message(message)
            }
            (Part::Cancelled, Some(_)) => Assembled::Cancelled,
            (Part::Middle | Part::Last | Part::Cancelled, None)
            | (Part::Whole | Part::End | Part::First, Some(_)) => Assembled::Stray,
        }
    }

    /// Whether a message has begun.
    pub(crate) const fn has_begun(&self) -> bool {
        self.0.is_some()
    }

    /// Forgets the message that has begun.
    pub(crate) fn forget(&mut self) {
        self.0 = None;
    }

    /// The bytes that have come of a message.
    pub(crate) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, Vec::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn push(assembly: &mut Assembly, part: Part) -> Assembled {
        assembly.push(part, vec![1, 2], 5)
    }

    #[test]
    fn a_message_in_parts_comes_out_whole() {
        let mut assembly = Assembly::default();
        assert_eq!(push(&mut assembly, Part::First), Assembled::Part);
        assert!(assembly.has_begun());
        let last = assembly.push(Part::Last, vec![3], 5);
        assert_eq!(last, Assembled::Message(vec![1, 2, 3]));
        assert!(!assembly.has_begun());
    }

    #[test]
    fn a_message_above_its_limit_is_given_up_before_it_is_held() {
        let mut assembly = Assembly::default();
        push(&mut assembly, Part::First);
        push(&mut assembly, Part::Middle);
        assert_eq!(push(&mut assembly, Part::Middle), Assembled::TooLong);
        assert_eq!(push(&mut assembly, Part::Last), Assembled::Stray);
        assert_eq!(
            assembly.push(Part::Whole, vec![0; 6], 5),
            Assembled::TooLong
        );
    }

    #[test]
    fn a_cancelled_message_leaves_nothing() {
        let mut assembly = Assembly::default();
        push(&mut assembly, Part::First);
        assert_eq!(push(&mut assembly, Part::Cancelled), Assembled::Cancelled);
        assert_eq!(
            push(&mut assembly, Part::Whole),
            Assembled::Message(vec![1, 2])
        );
    }

    #[test]
    fn a_record_in_the_wrong_place_is_told_from_the_others() {
        let mut assembly = Assembly::default();
        assert_eq!(push(&mut assembly, Part::Middle), Assembled::Stray);
        push(&mut assembly, Part::First);
        assert_eq!(push(&mut assembly, Part::Whole), Assembled::Stray);
    }
}
