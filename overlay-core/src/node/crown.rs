//! Being the root, and standing by for it.
//!
//! Who knows the token asks the server for the crown, and is told what it is:
//!
//! | asks as | is told: root | is told: standby, or joiner where there are standbys enough |
//! |---|---|---|
//! | newcomer | reigns | joins the tree like anybody else; a standby stays connected to the server |
//! | root that lost its connection | reigns on; nothing changes below | steps down: somebody else reigns by now. It joins that tree with all that stands below it |
//! | standby, below a parent or on its way | reigns: leaves its parent, keeps its children | waits on |
//!
//! A root that has no server reigns on in its tree, for as long as it takes. But it takes nobody in whom the
//! server sends without a valid lease, so that no two roots do.

use alloc::vec::Vec;

use super::bootstrap::Wanted;
use super::{Node, Role, notify};
use crate::action::{Action, CloseReason, Notification};
use crate::id::Epoch;
use crate::path::Path;
use crate::wire::{Count, Farewell, Token};

impl Node {
    pub(super) fn become_root(&mut self, token: Option<Token>, out: &mut Vec<Action>) {
        if !matches!(self.role, Role::Detached) {
            return;
        }
        match token {
            Some(token) => {
                self.begin_joining();
                self.register(Wanted::Crown(token), out);
            }
            // Nobody else gives out epochs.
            None => self.reign(Epoch(self.epoch.0.saturating_add(1)), out),
        }
    }

    /// Whether the node would be the root, as far as it is concerned, if the present one were gone.
    #[must_use]
    pub fn stands_by(&self) -> bool {
        self.bootstrap.wants_crown() && matches!(self.role, Role::Joining(_) | Role::Member { .. })
    }

    /// The server says that this node is the root.
    pub(super) fn crowned(&mut self, epoch: Epoch, out: &mut Vec<Action>) {
        match self.role {
            Role::Root if epoch == self.epoch => return,
            Role::Root => {}
            Role::Joining(_) => self.cancel_dial(CloseReason::Cancelled, out),
            Role::Member { parent } => {
                self.cancel_dial(CloseReason::Cancelled, out);
                self.part(parent, Farewell::Closing, CloseReason::Closed, out);
                self.forget_ways_by(parent, out);
            }
            Role::Detached | Role::Rehoming { .. } | Role::Leaving => return,
        }
        self.reign(epoch, out);
    }

    /// The server says that another node is the root, in this epoch.
    pub(super) fn stands_down(&mut self, epoch: Epoch, out: &mut Vec<Action>) {
        match self.role {
            Role::Root => {
                self.epoch = epoch;
                notify(Notification::Demoted { epoch }, out);
                self.rejoin();
            }
            Role::Joining(_) => self.introduced(out),
            Role::Member { .. } => self.introduction_over(out),
            Role::Detached | Role::Rehoming { .. } | Role::Leaving => {}
        }
    }

    /// The app is told if the tree that the node is in has another root than before.
    pub(super) fn note_reign(&mut self, out: &mut Vec<Action>) {
        let before = self.told_epoch.replace(self.epoch);
        let root = self.path.ids().first().copied();
        if let Some(root) = root
            && before.is_some_and(|before| before != self.epoch)
        {
            let epoch = self.epoch;
            notify(Notification::RootChanged { epoch, root }, out);
        }
    }

    fn reign(&mut self, epoch: Epoch, out: &mut Vec<Action>) {
        #[cfg(planted)]
        let epoch = if self.config.has_bug(crate::Planted::EpochKept) && self.epoch > Epoch(0) {
            self.epoch
        } else {
            epoch
        };
        self.role = Role::Root;
        self.path = Path::root(self.id);
        self.epoch = epoch;
        self.told_epoch = Some(epoch);
        notify(Notification::Promoted { epoch }, out);
        self.tell_children_path(out);
        let (root, next) = (self.id, 1);
        self.count_from(Count { root, epoch, next }, out);
    }
}
