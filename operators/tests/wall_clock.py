"""Working hours by their definition, written a second time: what the clock on the wall says."""


def works(moment, shifts, days_off, zone):
    """Does somebody with these hours work at that moment?"""
    wall = moment.astimezone(zone)
    today, clock = wall.date(), wall.time()
    if any(off.first <= today <= off.last for off in days_off):
        return False
    yesterday = (today.weekday() - 1) % 7
    return not shifts or any(
        (each.weekday == today.weekday() and each.starts <= clock < each.ends)
        or (
            each.ends <= each.starts
            and (
                (each.weekday == today.weekday() and clock >= each.starts)
                or (each.weekday == yesterday and clock < each.ends)
            )
        )
        for each in shifts
    )
