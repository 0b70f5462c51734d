//! `global_defs`: names, files and FIFOs.

use super::Printer;
use super::value::{Value, group_of, int};
use super::words;
use super::writer::Writer;
use alloc::string::String;
use core::fmt;
use core::time::Duration;
use ipc::config::identity::{Fifo, Fifos, Identity};
use ipc::config::script::RunAs;

/// A number of microseconds.
pub(super) fn micros(time: Duration) -> Value<'static> {
    Value::Int(i128::try_from(time.as_micros()).unwrap_or(i128::MAX))
}

/// `USER [[:]GROUP]`
pub(super) fn run_as(w: &mut Writer<'_>, run_as: &RunAs) -> fmt::Result {
    w.bare("user", Value::Text(&run_as.user))?;
    group_of(run_as).map_or(Ok(()), |group| w.bare("group", Value::Text(&group)))
}

impl Printer<'_> {
    pub(super) fn identity(self, w: &mut Writer<'_>) -> fmt::Result {
        let Identity {
            names,
            name,
            vrrp_name,
            checker_name,
            bfd_name,
            supplementary_groups,
            umask,
            random_seed,
            tmp_config_directory,
            config_save_dir,
            reload_check,
            reload_time_file,
            reload_repeat,
            reload_file,
            data_use_instance,
            state_dump_file,
            stats_dump_file,
            json_dump_file,
            json_version,
            iproute_usr_dir,
            iproute_etc_dir,
            default_interface,
        } = &self.script.identity;
        let mut maybe = |keyword: &str, value: &Option<String>| w.maybe(keyword, value.as_deref().map(Value::Text));
        maybe("default_interface", default_interface)?;
        maybe("process_name", name)?;
        maybe("vrrp_process_name", vrrp_name)?;
        maybe("checker_process_name", checker_name)?;
        maybe("bfd_process_name", bfd_name)?;
        maybe("tmp_config_directory", tmp_config_directory)?;
        maybe("config_save_dir", config_save_dir)?;
        maybe("reload_check_config", reload_check)?;
        maybe("reload_time_file", reload_time_file)?;
        maybe("reload_file", reload_file)?;
        maybe("state_dump_file", state_dump_file)?;
        maybe("stats_dump_file", stats_dump_file)?;
        maybe("json_dump_file", json_dump_file)?;
        maybe("iproute_usr_dir", iproute_usr_dir)?;
        maybe("iproute_etc_dir", iproute_etc_dir)?;
        w.flag("process_names", *names)?;
        let off = words::switch(false);
        w.unless(*supplementary_groups == off, "set_supplementary_groups", Value::Switch(*supplementary_groups))?;
        let mask = umask.map(|mask| alloc::format!("0{mask:o}"));
        w.maybe("umask", mask.as_ref().map(|mask| Value::Shown(mask)))?;
        w.maybe("random_seed", random_seed.map(int))?;
        w.flag("reload_repeat", *reload_repeat)?;
        w.field("data_use_instance", Value::Switch(*data_use_instance))?;
        w.unless(*json_version == 0, "json_version", int((*json_version).max(1)))
    }

    pub(super) fn fifos(self, w: &mut Writer<'_>) -> fmt::Result {
        let Fifos { all, vrrp, lvs, states_on_reload } = &self.script.fifos;
        self.fifo(w, "notify_fifo", "notify_fifo_script", all.as_ref())?;
        self.fifo(w, "vrrp_notify_fifo", "vrrp_notify_fifo_script", vrrp.as_ref())?;
        self.fifo(w, "lvs_notify_fifo", "lvs_notify_fifo_script", lvs.as_ref())?;
        w.flag("fifo_write_vrrp_states_on_reload", *states_on_reload)
    }

    fn fifo(self, w: &mut Writer<'_>, keyword: &str, reader: &str, fifo: Option<&Fifo>) -> fmt::Result {
        let Some(Fifo { path, owner, script }) = fifo else { return Ok(()) };
        w.statement(keyword, |w| {
            w.bare("path", Value::Text(path))?;
            owner.as_ref().map_or(Ok(()), |owner| run_as(w, owner))
        })?;
        self.maybe_command(w, reader, *script)
    }
}
