-- What a report says of the provider: its faults, its answers (a 404 is one), and auth_failures, for which the house is
-- to blame.

create or replace function headgate._answers_of(
    p_outcomes text[],
    p_blames text[],
    out faults integer,
    out answers integer,
    out auth_failures integer
)
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select
        count(*) filter (where u.outcome not in ('success', 'skipped', 'unsent') and u.blame = 'provider'),
        count(*) filter (
            where u.outcome in ('success', 'skipped') or u.outcome <> 'unsent' and u.blame in ('item', 'quota')
        ),
        count(*) filter (where u.outcome not in ('success', 'skipped', 'unsent') and u.blame = 'house')
    from unnest(p_outcomes, p_blames) as u (outcome, blame);
$func$;
