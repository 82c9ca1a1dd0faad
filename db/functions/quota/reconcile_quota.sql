-- The provider's own count of today: what exceeds our ledger was used elsewhere.

create or replace function headgate.reconcile_quota(
    p_provider text,
    p_reported integer,
    p_reported_on date
)
returns table (used_elsewhere integer)
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    with request as (
        insert into headgate._requests (function, arguments)
        values ('reconcile_quota', jsonb_build_object(
            'p_provider', p_provider, 'p_reported', p_reported, 'p_reported_on', p_reported_on
        ))
        returning result
    )
    select r.*
    from request as q
    cross join lateral jsonb_to_record(q.result) as r (used_elsewhere integer);
$func$;

comment on function headgate.reconcile_quota(text, integer, date) is
    'Take over the provider''s own count of today''s units; an older day''s count is ignored (null).';
