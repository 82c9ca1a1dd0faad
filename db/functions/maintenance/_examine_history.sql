-- Runs that should have been deleted two days ago: more end than the maintenance and the runners delete.

create or replace function headgate._examine_history()
returns table (subject text, verdict text, found text, advice text, is_fixable boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        'old history', 'warn',
        format('%s runs are kept longer than %s', l.runs, headgate.in_words(k.history)),
        format(
            'a maintenance of each day deletes the last of them on %s: have a runner alive, which deletes 20,000 each '
            'time that it counts, or call headgate.retain(''%s'') until it leaves none',
            (headgate.clock() at time zone 'UTC')::date + l.runs / 200000 + 1,
            headgate.in_words(k.history)
        ), false
    from (
        select (s.value #>> '{}')::interval as history from headgate.settings as s where s.name = 'keep_history'
    ) as k
    cross join lateral headgate._left_runs(headgate.clock() - k.history - interval '2 days') as l (runs)
    where l.runs > 0;
$func$;
