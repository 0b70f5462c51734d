//! Where Holdfast means to differ from keepalived, and why. One table for the manual (holdfast.conf(5), DIFFERENCES) and for the
//! comparison of the two on the same files: a file on which they disagree names the entry that accounts for it.
//!
//! What is not in this table is not meant, and a fault.

/// Where a difference can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// In what is said of a file: the comparison has a file for it.
    InText,
    /// Only when the configuration runs.
    Running,
}

/// One intended difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// A stable name, `words-with-hyphens`.
    pub id: &'static str,
    /// Where it can be seen.
    pub shows: Shows,
    /// What it is about, in a few words.
    pub what: &'static str,
    /// What keepalived does, with the version where that matters.
    pub keepalived: &'static str,
    /// What Holdfast does.
    pub holdfast: &'static str,
    /// Why: one sentence.
    pub why: &'static str,
}

/// The difference of a name.
pub fn difference(id: &str) -> Option<&'static Difference> {
    DIFFERENCES.iter().find(|d| d.id == id)
}

const fn text(
    id: &'static str,
    what: &'static str,
    keepalived: &'static str,
    holdfast: &'static str,
    why: &'static str,
) -> Difference {
    Difference { id, shows: Shows::InText, what, keepalived, holdfast, why }
}

const fn running(
    id: &'static str,
    what: &'static str,
    keepalived: &'static str,
    holdfast: &'static str,
    why: &'static str,
) -> Difference {
    Difference { shows: Shows::Running, ..text(id, what, keepalived, holdfast, why) }
}

/// All of them, in the order of the manual.
pub static DIFFERENCES: &[Difference] = &[
    text(
        "unknown-block",
        "an unknown keyword with a block",
        "its lines are read as lines of the enclosing block, and its `}` closes that block",
        "it is skipped with its block and reported once",
        "one misspelt word must not change what the rest of the file means",
    ),
    text(
        "old-retry-name",
        "`nb_get_retry` in any checker",
        "it is unknown except in HTTP_GET and SSL_GET",
        "it is an old name of `retry` everywhere, with a warning",
        "many examples on the network have it in TCP_CHECK, and there is no doubt about what they mean",
    ),
    text(
        "persistence-off",
        "`persistence_timeout 0`",
        "it is out of range, an error, and persistence stays off",
        "it turns persistence off, with a warning",
        "the result is the same and many files have it",
    ),
    text(
        "long-password",
        "an `auth_pass` of more than eight characters",
        "it is cut after the eighth, with an error",
        "it is cut after the eighth, with a warning that shows what is used",
        "the file works as it always did",
    ),
    text(
        "rounded-interval",
        "an `advert_int` that the version cannot send",
        "it is rounded, with an error",
        "it is rounded in the same way, with a warning",
        "the file works as it always did",
    ),
    text(
        "default-scheduler",
        "a `virtual_server` without `lvs_sched`",
        "wlc is taken, with an error",
        "wlc is taken",
        "the manual names wlc as the default; using a default is no error",
    ),
    text(
        "udp-payload",
        "a UDP_CHECK `payload` with letters in its first or last byte",
        "2.2.7 takes `ff01`, but neither `ff` nor `01ff`",
        "any pairs of hexadecimal digits are taken",
        "it is a mistake in keepalived",
    ),
    text(
        "single-port-rule",
        "`sport` and `dport` of a rule with a single port",
        "it is refused; it has to be written as a range, `80-80`",
        "it is the range of that one port",
        "it is a mistake in keepalived",
    ),
    running(
        "track-file-directory",
        "a `track_file` whose directory is missing",
        "it is left out until the next reload",
        "it counts as 0, and the directory is waited for",
        "directories below /run are often made later than the daemon starts",
    ),
    running(
        "track-file-links",
        "a `track_file` that is a link",
        "the link is followed when the configuration is read",
        "the same for a link that root owns; no other is followed",
        "whoever may write into the directory shall not have other files read",
    ),
    running(
        "track-file-sum",
        "priorities after the number in a `track_file` was beyond a limit",
        "2.2.7 is off by what was beyond it from then on",
        "the priority is worked out anew from what is in the files",
        "it is a mistake in keepalived",
    ),
    running(
        "long-pages",
        "a page of HTTP_GET that does not end",
        "it is read for as long as something comes within every `connect_timeout`",
        "a page of 64 MiB or more, or one that takes ten times `connect_timeout`, is a failure",
        "a server must not hold a check for ever",
    ),
    running(
        "retries-while-down",
        "TCP_CHECK and SMTP_CHECK of a server that is down",
        "2.2.7 goes through its retries after each `delay_loop`",
        "it is asked every `delay_loop`, as 2.4.3 does",
        "retries tell a fault that passes from one that lasts, which is known by then",
    ),
    running(
        "mails-of-quorum",
        "the numbers in mails about a quorum that is lost or missing at the start",
        "2.2.7 writes `1+0=1 <= 0` there, what would be needed to gain it",
        "those of the log: `1-0=1 > 0`",
        "it is a mistake in keepalived",
    ),
    running(
        "pages-in-recovery",
        "a page of HTTP_GET that fails while the others prove that a server is up again",
        "2.2.7 asks for it again after `delay_before_retry`, with `fast_recovery` at once and without end",
        "it is asked for every `delay_loop`, and then all of them prove themselves",
        "a server that fails must not be asked without a pause",
    ),
    running(
        "ha-suspend-groups",
        "`ha_suspend` of a `virtual_server group`",
        "its address is never found, so it is never checked",
        "one address of the group on this machine is enough",
        "it is a mistake in keepalived",
    ),
    text(
        "later-keywords",
        "keywords that keepalived has since 2.2.8",
        "2.2.7, which Debian 12 has, does not know them",
        "they are known",
        "a file for 2.4.3 is a file for Holdfast",
    ),
    text(
        "iptables-words",
        "`vrrp_iptables` and `vrrp_ipsets`",
        "a keepalived that was built without iptables takes the first as `nftables`, with an error, and does not know the second",
        "both are known, and come to the same nftables table",
        "what a file means does not depend on how the program was built",
    ),
    running(
        "iptables-table",
        "`vrrp_iptables` with one chain",
        "2.2.7 filters in nftables where iptables(8) is not installed, also what goes out",
        "what goes out is not filtered, with one chain",
        "it is what the manual of keepalived says of it",
    ),
    running(
        "shared-marks",
        "`nftables_ipvs` and addresses of two groups, of a group and a `virtual_server`, or with port 0",
        "they get the mark of one of them; packets to port 0 are marked, others not",
        "they stay services of their own",
        "a packet has one mark, and port 0 means every port",
    ),
    text(
        "umask-words",
        "IRWXU, IRWXG and IRWXO in `umask`",
        "2.2.7 does not know them",
        "they are known",
        "the manual of keepalived names them",
    ),
    text(
        "family-words",
        "`inet` and `inet6` before the first option of a route or a rule",
        "2.2.7 leaves out the word that follows",
        "no word is left out",
        "it is a mistake in keepalived",
    ),
    text(
        "byte-order-mark",
        "a byte order mark at the beginning of a file",
        "it makes the first word an unknown keyword",
        "it is left out",
        "editors write it without being asked",
    ),
    text(
        "corrected-values",
        "values that are put right and words that are left out because they cannot apply",
        "they are errors of the configuration, though it is used",
        "they are warnings that say what counts instead",
        "the file works as it always did, and nothing is left of what was meant to be different",
    ),
    text(
        "old-forms",
        "old names and forms that still work",
        "some of them are errors of the configuration, though they are used",
        "they are warnings that show today's form",
        "the file works as it always did",
    ),
    text(
        "default-method",
        "a `virtual_server` without `lvs_method`",
        "NAT is taken, with an error",
        "NAT is taken, with a note",
        "the manual names NAT as the default; using a default is no error",
    ),
    text(
        "undefined-group",
        "a `virtual_server` of a group that does not exist",
        "`-t` says nothing, and the daemon ignores it",
        "it is an error",
        "its addresses are not served, which nobody means",
    ),
    text(
        "relative-paths",
        "a relative path in `global_defs` and of a `track_file`",
        "it is taken from the directory in which the daemon was started",
        "it is an error",
        "after a restart by another hand it would be another file",
    ),
    text(
        "look-alikes",
        "characters that only look like those of the language, outside comments",
        "they are letters; a full-width brace makes 2.2.7 end by a segmentation fault",
        "they are letters, each with an error that shows the right character",
        "nobody writes them on purpose",
    ),
    running(
        "backslashes",
        "backslashes in commands",
        "2.2.7 interprets them twice (\"S \\\"a b\\\" c\" runs S with `a b` and `c`), 2.4.3 once",
        "as 2.2.7, with a warning where the two differ",
        "most files were written for it, and what is quoted that way is meant so",
    ),
    running(
        "comment-signs",
        "`\\#` and `\\!` outside quotes",
        "a comment begins there in 2.2.7; in 2.4.3 they are the sign itself",
        "the sign itself",
        "who writes the backslash wants the sign",
    ),
    running(
        "quoted-include",
        "`include \"FILE\"`",
        "the quotes are part of the name, so nothing is found",
        "the file is included",
        "that is what is meant",
    ),
    running(
        "environment",
        "`${_ENV NAME}`",
        "2.2.7 leaves it as it is written; 2.4.0 and later: every variable",
        "every variable but what the service manager set for the daemon itself, as NOTIFY_SOCKET and CREDENTIALS_DIRECTORY",
        "the process that reads text asks for each by name, and need not learn where secrets are",
    ),
    running(
        "random-numbers",
        "`${_RANDOM}` after `random_seed`",
        "the C library's sequence",
        "another sequence, which the seed repeats as well",
        "that they repeat is what the seed is for",
    ),
    running(
        "bounds",
        "how large a configuration may be",
        "there is no bound but for the length of a line",
        "24 MB of text in 4,096 files, lines of 32,767 bytes, 52 MB for files and statements, 4 million steps of expansion",
        "whatever a file holds is told within a second, and the running configuration goes on",
    ),
    running(
        "equal-checkers",
        "checkers with equal parameters against the same endpoint",
        "each one asks for itself",
        "they are one probe whose verdict counts for each of them; `checker_merge no` undoes it",
        "a server that stands in fifty virtual servers need not answer the same question fifty times",
    ),
    running(
        "tls-of-checks",
        "SSL_GET against a server that has only RSA key exchange, CBC or TLS 1.1 and older",
        "what the OpenSSL of the system allows",
        "the check fails and says why",
        "the library that reads what servers send is written in a memory-safe language and leaves these out",
    ),
    running(
        "regex-of-checks",
        "`regex` of HTTP_GET and SSL_GET",
        "PCRE2 without bounds",
        "most of its language, in a bounded part of the page and with bounded work; what means something else is refused with -t",
        "a page can be written so that matching never ends",
    ),
    running(
        "regex-of-the-page",
        "what a `regex` is matched against",
        "2.2.7: the page, and the header as well when it comes with the page in one piece; a match that could go on behind the end of the \
         page is none (`end$`, `[0-9]+` before the end)",
        "the page, within its Content-Length, however it comes",
        "the same answer must have the same verdict",
    ),
    text(
        "names-of-dns-checks",
        "a DNS_CHECK `name` whose first label has one letter",
        "2.2.7 takes it for one with an empty label, ignores it and asks for the root",
        "it is asked for",
        "it is a mistake in keepalived",
    ),
    running(
        "reverse-at-the-start",
        "a FILE_CHECK with `weight 0 reverse` whose file holds 0 at the start",
        "2.2.7 takes the server for well until the number has changed",
        "it is down from the start, as it is later",
        "the same number must mean the same",
    ),
    running(
        "commands-that-cannot-start",
        "a MISC_CHECK whose command is missing, may not be run, or cannot be started",
        "one that is missing at the start is left out of the configuration; one that goes later is a failure",
        "one that has never run says nothing of the server, which stays as it is: it is logged, and tried every `delay_loop`; one that goes \
         later is a failure",
        "what this machine cannot do is not the fault of the server",
    ),
    running(
        "smtp-replies",
        "a reply of a mail server that has several lines, or a bare code",
        "SMTP_CHECK fails",
        "it is read as RFC 5321 says",
        "servers send both",
    ),
    running("genhash-exit-code", "genhash when nobody answers", "exit code 0", "exit code 1", "scripts ask for it"),
    running(
        "lvs-flush",
        "`lvs_flush`",
        "the table is emptied at the start",
        "what the file does not name is removed; the rest keeps its connections",
        "a restart need not cost what goes on",
    ),
    running(
        "granularity-of-groups",
        "`persistence_granularity` of a `virtual_server group`",
        "2.2.7 forgets it",
        "it is used",
        "it is a mistake in keepalived",
    ),
    running(
        "replay-marks",
        "what was heard of signed adverts (`auth_hmac`) when the configuration is read again",
        "it is forgotten, and old adverts count once more",
        "it is kept",
        "that is what the marks are for",
    ),
    running(
        "reload-of-a-broken-file",
        "a reload whose file has errors",
        "the errors are logged and what is left of the file is used, unless `reload_check_config` is set",
        "a file that cannot be run is refused as a whole; the running configuration stays untouched",
        "a slip of the pen must not take a service down",
    ),
    running(
        "deleted-address",
        "a virtual address that another program deletes",
        "the instance gives up being master",
        "the address is put back; `vrrp_on_external_removal backup` makes the instance give up as in keepalived",
        "network managers delete addresses; losing the service as well helps nobody",
    ),
    running(
        "several-interfaces-down",
        "several tracked interfaces that are down",
        "the first one that comes back ends the fault",
        "each one is counted; the fault ends with the last",
        "it is a mistake in keepalived",
    ),
    running(
        "order-of-notifications",
        "notify scripts of one instance, group, real server or service",
        "they run side by side and end in any order",
        "they run one after another in the order of the changes, the newest state last",
        "a script that sets up what a state needs must be right about the state",
    ),
    running(
        "missing-interface",
        "an interface that does not exist when the daemon starts",
        "the daemon refuses to run unless `dynamic_interfaces` is set",
        "the instance waits for it in FAULT and says so; `-t` still fails",
        "at boot the network is often later than the daemon",
    ),
    running(
        "same-router-twice",
        "two instances with one `virtual_router_id` whose interfaces lead to the same network, as a macvlan and what it is on",
        "the daemon refuses to run; with `dynamic_interfaces allow_if_changes` one of them is in FAULT",
        "the later one of the file is in FAULT as long as that is so, and says so",
        "interfaces come and go, and the other one need not suffer",
    ),
    running(
        "place-of-dumps",
        "what SIGUSR1 and SIGUSR2 write",
        "files in /tmp",
        "files in /run/holdfast that only root can read; state_dump_file, stats_dump_file and json_dump_file say otherwise",
        "predictable names in /tmp have been misused, and dumps hold what is nobody's business",
    ),
    running(
        "passwords-in-dumps",
        "passwords in dumps",
        "written down (2.2.7)",
        "stars",
        "dumps are handed around when something does not work",
    ),
    running(
        "dump-at-start",
        "-d, --dump-conf",
        "logs the dump of SIGUSR1 at the start",
        "writes its files, once, as soon as everything runs",
        "a log is kept for long, and read by more people than a dump",
    ),
    running(
        "bfd-goodbye",
        "a BFD session whose daemon ends, or that a reload removes",
        "falls silent; the neighbour notices after the Detection Time",
        "tells the neighbour that the session is down",
        "the neighbour need not wait",
    ),
    running(
        "bfd-fresh",
        "a master, or a real server that is up, with a BFD session that a reload adds or whose daemon died",
        "in FAULT, or removed, until the session is up",
        "stays as it is for multiplier times idle_tx; after that the session must be up",
        "a session takes a second to come up, which says nothing about the way to the neighbour",
    ),
    running(
        "power-of-scripts",
        "scripts that run as root",
        "they have every capability",
        "they have the supervisor's; holdfast(8), SCRIPTS, says what that allows",
        "a script gets no more than the daemon itself has",
    ),
    running(
        "last-advert",
        "of two masters that hear each other again the one with the higher priority, when the other one heard it first",
        "does not know that there was another, and neighbours keep the address of that one, unless `higher_prio_send_advert` is set there",
        "hears one more advert of the other, for `higher_prio_send_advert` is on, and announces the addresses again; it takes that advert for \
         no rival within a quarter of an interval after it became master itself. A keepalived with the higher priority does take it for \
         one: whenever it takes over from Holdfast it logs \"lower priority ... forcing new election\", announces once more and runs \
         notify_master_rx_lower_pri; `higher_prio_send_advert off` here spares it that",
        "a service address that neighbours look for on a backup is an outage that lasts until their tables forget it",
    ),
    running(
        "flags-with-off",
        "`off` after a keyword that stands alone in keepalived: `v3_checksum_as_v2`, `vrrp_check_unicast_src`; in an instance \
         `check_unicast_src`; in a virtual server `inhibit_on_failure`, `alpha`, `omega`, `ha_suspend`",
        "the word after it is not looked at: `off` means on",
        "`off` means off",
        "nobody who writes `off` means on",
    ),
    running(
        "receive-buffers",
        "`kernel_rx_buf_size`, `vrrp_rx_bufs_policy`, `vrrp_rx_bufs_multiplier`",
        "the receive buffer is the system's unless these make it larger",
        "each socket asks for 4 MiB, which net.core.rmem_max may reduce, and these are checked and not used",
        "that is more than any of them asks for in practice, and a buffer that is never full costs nothing",
    ),
    running(
        "netlink-buffers",
        "`vrrp_netlink_cmd_rcv_bufs`, `vrrp_netlink_monitor_rcv_bufs`, `lvs_netlink_cmd_rcv_bufs`, `lvs_netlink_monitor_rcv_bufs`, and with `_force`",
        "receive buffers get these sizes",
        "each netlink socket has 8 MiB, beyond net.core.rmem_max, and these are checked and not used",
        "that is more than any of them asks for in practice, and what does not fit in is asked for again",
    ),
    running(
        "linkbeat",
        "`linkbeat_use_polling`, `linkbeat_interfaces`",
        "the link is asked for every second, by MII, ethtool or ioctl",
        "the kernel reports it at once, with them as without; their interfaces have to exist",
        "every driver in use has reported its carrier for many years, and polling notices later",
    ),
    running(
        "track-group",
        "something static of a `track_group` that another program removes",
        "a member enters FAULT when it cannot be put back at once",
        "likewise, and while a fight over it makes putting it back wait",
        "an instance that needs it is of no use without it",
    ),
    running(
        "processes-elsewhere",
        "`track_process` in a container, or started in a network namespace, where the kernel does not tell of processes",
        "they are counted at the start and never again (2.2.7)",
        "they are looked for every second",
        "what is tracked is meant to be noticed",
    ),
    running(
        "process-long-name",
        "`process NAME` with a name of more than 15 bytes, of which the kernel keeps 15",
        "never runs (2.2.7)",
        "its first 15 bytes count",
        "a name that never matches keeps the instance in FAULT for good",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_every_part_is_filled() {
        let mut seen = BTreeSet::new();
        for d in DIFFERENCES {
            assert!(seen.insert(d.id), "{} twice", d.id);
            assert!(d.id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{}", d.id);
            for part in [d.what, d.keepalived, d.holdfast, d.why] {
                assert!(!part.is_empty() && !part.ends_with('.'), "{}: {part:?}", d.id);
            }
            assert_eq!(difference(d.id), Some(d));
        }
    }
}
