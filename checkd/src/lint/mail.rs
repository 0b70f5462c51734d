//! Mail: recipients without anybody to hand it to.

use crate::conf::Draft;
use crate::conf::diag::{Code, Diagnostic, Severity};
use crate::conf::keyword::Reader;

/// There is no default server: keepalived, too, sends nothing then and says nothing.
pub fn look(r: &mut Reader<'_>, draft: &Draft) {
    let global = &draft.global;
    let Some(to) = global.mail_to.first().filter(|_| global.smtp_server.is_none() && global.mail.server_name.is_none())
    else {
        return;
    };
    let message = "nobody gets mail: there is no `smtp_server`";
    let note = Diagnostic::new(Severity::Note, Code::NO_MAIL_SERVER, to.span, message)
        .label("would get it")
        .help("smtp_server 127.0.0.1");
    r.diags.push(note);
}
