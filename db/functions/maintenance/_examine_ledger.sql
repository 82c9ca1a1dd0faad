-- Open quota windows that disagree with chunks and details. Reserved units are known exactly. Spent units lie between
-- two sums, because a job charged before the window may have ended in it.

create or replace function headgate._examine_ledger()
returns table (subject text, verdict text, found text, advice text, is_fixable boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        'quota of ' || p.name, 'fail',
        format(
            'the window since %s says %s reserved, %s spent; chunks and details say %s, and %s to %s',
            b.opened_at, b.reserved, b.spent, b.promised, b.at_least, b.at_most
        ),
        'headgate doctor --fix takes what chunks promise, and never lowers what is spent; see headgate.reconcile_quota',
        true
    from headgate._ledger(headgate.clock()) as b
    join headgate.providers as p using (provider_id)
    where b.reserved <> b.promised
        or b.spent not between b.at_least and b.at_most;
$func$;
