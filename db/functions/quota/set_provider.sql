-- An operator's changes to a provider: its limits, its address, and blocking or unblocking it or one of its operations.

create or replace function headgate.set_provider(
    p_provider text,
    p_changes jsonb
)
returns table (changed integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_old constant headgate.providers := headgate._provider(p_provider);
    v_known constant text[] := array[
        'base_url', 'quota', 'buffer', 'requests_per_minute', 'burst', 'max_in_flight', 'breaker_failures',
        'breaker_share', 'breaker_cooldown', 'publication_lag', 'secret_name', 'features', 'blocked_until', 'reason',
        'operation'
    ];
    v_operation_id constant bigint := headgate._operation_of(v_old, p_changes ->> 'operation');
    v_blocked_until timestamptz;
begin
    if jsonb_typeof(p_changes) is distinct from 'object' then
        perform headgate._raise('HG008', 'the changes must be an object', 'e.g. {"quota": 5000, "buffer": 0}');
    end if;
    perform headgate._check_settings(format('provider %s', p_provider), p_changes, v_known);
    if p_changes ? 'operation'
        and (
            v_operation_id is null
            or not p_changes ? 'blocked_until'
            or p_changes - array['operation', 'blocked_until', 'reason'] <> '{}'
        )
    then
        perform headgate._raise(
            'HG008',
            'an operation can only be blocked and unblocked',
            'e.g. {"operation": "fundamentals_bulk", "blocked_until": null}; the provider''s own settings in a call of '
            'their own'
        );
    end if;
    perform headgate._guard_secret(p_provider, p_changes);

    begin
        update headgate.providers as p
        set base_url = case when p_changes ? 'base_url' then p_changes ->> 'base_url' else p.base_url end,
            quota = case when p_changes ? 'quota' then (p_changes ->> 'quota')::integer else p.quota end,
            quota_buffer = coalesce((p_changes ->> 'buffer')::integer, p.quota_buffer),
            requests_per_minute = case
                when p_changes ? 'requests_per_minute' then (p_changes ->> 'requests_per_minute')::integer
                else p.requests_per_minute
            end,
            burst = case when p_changes ? 'burst' then (p_changes ->> 'burst')::integer else p.burst end,
            max_in_flight = coalesce((p_changes ->> 'max_in_flight')::integer, p.max_in_flight),
            breaker_failures = coalesce((p_changes ->> 'breaker_failures')::integer, p.breaker_failures),
            breaker_share = coalesce((p_changes ->> 'breaker_share')::numeric, p.breaker_share),
            breaker_cooldown = coalesce((p_changes ->> 'breaker_cooldown')::interval, p.breaker_cooldown),
            publication_lag = coalesce((p_changes ->> 'publication_lag')::interval, p.publication_lag),
            secret_name = coalesce(p_changes ->> 'secret_name', p.secret_name),
            features = case
                when p_changes ? 'features' then headgate._known_features(p, p_changes -> 'features')
                else p.features
            end
        where p.provider_id = v_old.provider_id;
        v_blocked_until := p_changes ->> 'blocked_until';
    exception
        when check_violation or data_exception then
            perform headgate._raise(
                'HG008', format('provider %s: %s', p_provider, sqlerrm), 'nothing was changed'
            );
    end;

    if p_changes ? 'blocked_until' then
        perform headgate._set_breaker(
            v_old.provider_id, v_operation_id, v_blocked_until, coalesce(p_changes ->> 'reason', 'blocked by hand')
        );
    end if;
    if p_changes ?| array['quota', 'buffer'] then
        perform headgate._refit_window(p_provider);
    end if;
    changed := (select count(*) from jsonb_object_keys(p_changes));
    perform headgate._record_action(
        'set_provider', jsonb_build_object('provider', p_provider, 'changes', p_changes),
        jsonb_build_object('changed', changed)
    );
    return next;
end;
$func$;

comment on function headgate.set_provider(text, jsonb) is
    'Change a provider''s settings, or block it or one of its operations until a time (null: unblock); '
    'returns how many settings were given.';

-- Features of the account that some operation of the provider needs.
create or replace function headgate._known_features(
    p_provider headgate.providers,
    p_features jsonb
)
returns text[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_known constant text[] := array(
        select distinct o.feature
        from headgate.operations as o
        where o.provider_id = p_provider.provider_id
            and o.feature is not null
        order by o.feature
    );
begin
    if jsonb_typeof(p_features) <> 'array' or not to_jsonb(v_known) @> p_features then
        perform headgate._raise(
            'HG008',
            format(
                'provider %s: unknown features: %s',
                p_provider.name,
                left(p_features::text, 100)
            ),
            case
                when v_known = '{}' then 'no operation needs a feature of the account'
                else 'a list of: ' || headgate._names(v_known)
            end
        );
    end if;
    return array(select distinct f.feature from jsonb_array_elements_text(p_features) as f (feature) order by 1);
end;
$func$;

-- Only the owner may set the secret and its destination: a planner could otherwise have it sent to a host of their own.
create or replace function headgate._guard_secret(
    p_provider text,
    p_changes jsonb
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
begin
    if p_changes ?| array['base_url', 'secret_name'] and not headgate._is_owners() then
        perform headgate._raise(
            '42501', format(
                '%s may not change the address or the secret of provider %s',
                coalesce(nullif(current_setting('role'), 'none'), session_user), p_provider
            ),
            'a superuser, or a member of headgate_owner, may change base_url and secret_name'
        );
    end if;
end;
$func$;

-- The given operation, which must belong to the provider; null if none is given.
create or replace function headgate._operation_of(
    p_provider headgate.providers,
    p_operation text
)
returns bigint
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_operation_id bigint;
begin
    select o.operation_id into v_operation_id
    from headgate.operations as o
    where o.provider_id = p_provider.provider_id
        and o.name = p_operation
        and o.is_call;
    if not found and p_operation is not null then
        perform headgate._raise(
            'HG004',
            format('provider %s has no operation %s', p_provider.name, quote_literal(p_operation)),
            headgate._known('its operations', p_operation, array(
                select o.name
                from headgate.operations as o
                where o.provider_id = p_provider.provider_id and o.is_call
            ))
        );
    end if;
    return v_operation_id;
end;
$func$;

-- Block a provider or one of its operations until a time, or let calls flow (null); its breaker starts from zero. A
-- provider that flows also unblocks its operations and its window. Chunks that waited for it go on.
create or replace function headgate._set_breaker(
    p_provider_id bigint,
    p_operation_id bigint,
    p_blocked_until timestamptz,
    p_reason text
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    if p_blocked_until is null then
        perform headgate._wake_parked(p_provider_id, p_operation_id);
    end if;
    update headgate.breakers as b
    set blocked_until = p_blocked_until,
        blocked_reason = case
            when p_blocked_until is not null and b.operation_id is not null then 'provider: ' || p_reason
            when p_blocked_until is not null then p_reason
        end,
        failures = 0,
        auth_failures = 0,
        opened = 0,
        counted_since = null,
        counted_faults = 0,
        counted_answers = 0,
        probe_chunk_id = null
    where b.breaker_id = any (headgate._lock_breakers(p_provider_id, p_operation_id, p_blocked_until is null));
    perform headgate._alert_breakers(p_provider_id, p_operation_id, headgate.clock());
    if p_blocked_until is null and p_operation_id is null then
        update headgate.quota_windows as w
        set blocked_until = null
        where w.provider_id = p_provider_id
            and w.blocked_until is not null;
    end if;
    perform pg_notify('headgate_jobs', '');
end;
$func$;

-- The provider's breaker first, then its operations'.
create or replace function headgate._lock_breakers(
    p_provider_id bigint,
    p_operation_id bigint,
    p_with_operations boolean
)
returns bigint[]
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    select array(
        select b.breaker_id
        from headgate.breakers as b
        left join headgate.operations as o on o.operation_id = b.operation_id
        where case
            when p_operation_id is not null then b.operation_id = p_operation_id
            else b.provider_id = p_provider_id or p_with_operations and o.provider_id = p_provider_id
        end
        order by b.operation_id nulls first
        for update of b
    );
$func$;

-- Chunks parked for what is now unblocked need not wait any longer.
create or replace function headgate._wake_parked(
    p_provider_id bigint,
    p_operation_id bigint
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    update headgate.chunks as c
    set wake_at = headgate.clock()
    where c.chunk_id = any (array(
        select d.chunk_id
        from headgate.chunks as d
        where d.provider_id = p_provider_id
            and (p_operation_id is null or d.call_operation_id = p_operation_id)
            and d.state = 'parked'
            and d.wake_at > headgate.clock()
            and d.park_reason like 'provider: %'
        order by d.chunk_id
        for update skip locked
    ));
$func$;
