//! How notices and errors of an exchange are shown.

use std::io::{self, Write};

use squall_publish::{Error, Notice, NoticeKind};

use super::super::exit::Exit;

/// What was done. What a broker says in detail is for its log.
pub(super) fn notices(notices: &[Notice], out: &mut impl Write) -> io::Result<()> {
    for notice in notices.iter().filter(|notice| notice.kind != NoticeKind::Debug) {
        match notice.kind {
            NoticeKind::Warning | NoticeKind::Danger => writeln!(out, "warning: {}", notice.text)?,
            NoticeKind::Error => writeln!(out, "error: {}", notice.text)?,
            _ => writeln!(out, "{}", notice.text)?,
        }
    }
    Ok(())
}

/// What went wrong, and the code that says so.
pub(super) fn error(why: &Error, err: &mut impl Write) -> io::Result<Exit> {
    writeln!(err, "error: {why}")?;
    if let Error::Conflict { notices, .. } = why {
        for notice in notices {
            for line in notice.text.lines() {
                writeln!(err, "  {line}")?;
            }
        }
    }
    Ok(if why.is_mistake() { Exit::Mistake } else { Exit::Environment })
}
