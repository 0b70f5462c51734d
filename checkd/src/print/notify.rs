//! Notify scripts of instances and groups.

use super::Printer;
use super::writer::Writer;
use core::fmt;
use ipc::config::vrrp::Notify;

impl Printer<'_> {
    pub(super) fn notify(self, w: &mut Writer<'_>, notify: &Notify) -> fmt::Result {
        let Notify { master, backup, fault, stop, generic, master_rx_lower_pri } = notify;
        self.maybe_command(w, "notify_master", *master)?;
        self.maybe_command(w, "notify_backup", *backup)?;
        self.maybe_command(w, "notify_fault", *fault)?;
        self.maybe_command(w, "notify_stop", *stop)?;
        self.maybe_command(w, "notify", *generic)?;
        self.maybe_command(w, "notify_master_rx_lower_pri", *master_rx_lower_pri)
    }
}
