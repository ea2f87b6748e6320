//! The host's time zone.

use std::mem::MaybeUninit;

/// How many seconds the host's local time is ahead of UTC at a time (seconds since 1970); 0 where the C library
/// does not know. For display only: TZ decides, as for every other program.
pub fn utc_offset(seconds: i64) -> i32 {
    let mut local = MaybeUninit::<libc::tm>::uninit();
    // SAFETY: both pointers are valid for the call; glibc and musl write the whole of `local` where they
    // return it, and it is read only then. localtime_r(3) keeps no reference to either.
    let local = unsafe {
        if libc::localtime_r(&raw const seconds, local.as_mut_ptr()).is_null() {
            return 0;
        }
        local.assume_init()
    };
    i32::try_from(local.tm_gmtoff).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_offset_is_that_of_date() {
        let output = std::process::Command::new("date").args(["-d", "@1700000000", "+%z"]).output().unwrap();
        let zone = String::from_utf8(output.stdout).unwrap();
        assert_eq!(crate::state::iso(1_700_000_000, super::utc_offset(1_700_000_000))[20..], *zone.trim());
    }
}
