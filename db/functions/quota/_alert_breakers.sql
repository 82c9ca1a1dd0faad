-- Raise and resolve alerts of a provider and its operations to match their breakers, ordered by subject. A session that
-- changes a breaker holds its row, so nobody else does this meanwhile; the maintenance checks all (null).

create or replace function headgate._alert_breakers(
    p_provider_id bigint,
    p_operation_id bigint,
    p_now timestamptz
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    select headgate._set_alert(c.subject, 'error', c.message, c.is_wrong, p_now)
    from (
        select a.*
        from (
            select b.* from headgate._breaker_alerts(p_provider_id, p_operation_id, p_now) as b
            union all
            select s.* from headgate._secret_alerts(p_provider_id) as s
        ) as a
        where a.is_wrong <> headgate._is_alerted(a.subject)
        order by a.subject
    ) as c;
$func$;

-- An open breaker, until a probe succeeds; any other long block; a rejected secret, until an answer comes.
create or replace function headgate._breaker_alerts(
    p_provider_id bigint,
    p_operation_id bigint,
    p_now timestamptz
)
returns table (subject text, message text, is_wrong boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        case when o.operation_id is null then 'provider ' || p.name else 'operation ' || o.name end,
        headgate._breaker_message(coalesce(o.name, p.name), p.provider_id, b),
        headgate._needs_alert(b.opened, b.blocked_until, p_now)
    from headgate.breakers as b
    left join headgate.operations as o on o.operation_id = b.operation_id
    join headgate.providers as p on p.provider_id = coalesce(b.provider_id, o.provider_id)
    where (p_provider_id is null or p.provider_id = p_provider_id)
        and (p_operation_id is null or b.operation_id is null or b.operation_id = p_operation_id);
$func$;

-- A refused secret, until an answer comes.
create or replace function headgate._secret_alerts(p_provider_id bigint)
returns table (subject text, message text, is_wrong boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        'secret of ' || p.name,
        format(
            '%s rejects our calls (401, 403), or they cannot be made: check %s in the runners'' environment, then '
            'headgate.retry_failed', p.name, coalesce(p.secret_name, 'its base_url and auth')
        ),
        b.auth_failures > 0
    from headgate.providers as p
    join headgate.breakers as b using (provider_id)
    where p_provider_id is null or p.provider_id = p_provider_id;
$func$;

-- No alert for a provider that is only suspected (opened, but not blocked), nor for a block of less than an hour.
create or replace function headgate._needs_alert(
    p_opened integer,
    p_blocked_until timestamptz,
    p_now timestamptz
)
returns boolean
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(
        p_blocked_until is not null and (p_opened > 0 or p_blocked_until > p_now + interval '1 hour'), false
    );
$func$;

create or replace function headgate._breaker_message(
    p_name text,
    p_provider_id bigint,
    p_breaker headgate.breakers
)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when p_breaker.opened > 0 then format(
            'calls to %s fail%s: its breaker is open until a probe succeeds, and jobs wait (headgate.v_waiting)',
            p_name,
            coalesce(' (' || (
                select c.park_reason
                from headgate.chunks as c
                where c.provider_id = p_provider_id
                    and (
                        p_breaker.operation_id is null
                        or c.call_operation_id = p_breaker.operation_id
                    )
                    and c.state = 'parked'
                    and c.park_reason like 'provider: %'
                    and c.park_reason not like 'provider: the breaker %'
                limit 1
            ) || ')', '')
        )
        else format(
            '%s is blocked until %s: %s',
            p_name, p_breaker.blocked_until at time zone 'UTC', p_breaker.blocked_reason
        )
    end;
$func$;
