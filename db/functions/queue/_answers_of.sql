-- What a report says about the provider: its faults, its answers (a 404 is one), and auth_failures, which are internal
-- faults.

create or replace function headgate._answers_of(
    p_outcomes text[],
    p_faults text[],
    out faults integer,
    out answers integer,
    out auth_failures integer
)
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select
        count(*) filter (where u.outcome not in ('success', 'skipped', 'unsent') and u.fault = 'provider'),
        count(*) filter (
            where u.outcome in ('success', 'skipped') or u.outcome <> 'unsent' and u.fault in ('item', 'quota')
        ),
        count(*) filter (where u.outcome not in ('success', 'skipped', 'unsent') and u.fault = 'internal')
    from unnest(p_outcomes, p_faults) as u (outcome, fault);
$func$;
