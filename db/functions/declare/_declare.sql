-- The three-way merge of what the file said last time (declarations.settings), what it says now, and the current row: a
-- value changed in the file is written, an unchanged one leaves what an operator has set, and one no longer declared
-- returns to its default. Everything is jsonb keyed by argument names, and one update writes the differences.

create or replace function headgate._declare(
    p_kind text,
    p_name text,
    p_settings jsonb
)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_plan constant text := headgate._open_plan();
    v_settings constant jsonb := headgate._given(p_settings);
    v_old headgate.declarations;
    v_row jsonb;
    v_fault text;
    v_written text[];
begin
    select * into v_old from headgate.declarations as d where d.kind = p_kind and d.name = p_name;
    v_fault := case
        when p_name ~ '^/|/$|//' or p_name = '' or p_name is null then 'it has no name'
        when v_old.plan <> v_plan then format('plan %s already declares it', v_old.plan)
        when v_old.is_declared then format('declared twice%s', ', first at ' || v_old.place)
    end;
    if v_fault is not null then
        perform headgate._note_mistake(
            p_kind, p_name, format('%s: %s', headgate._object(p_kind, p_name), v_fault),
            'an object is declared once, by one plan'
        );
        return 'mistaken';
    end if;

    v_row := headgate._row_of(p_kind, p_name);
    v_written := headgate._merge(p_kind, p_name, v_row, v_old.settings, v_settings);
    if v_written is null then
        return 'mistaken';
    end if;

    insert into headgate.declarations as d (kind, name, plan, position, settings, place, is_declared)
    values (
        p_kind, p_name, v_plan, headgate._next_position(v_plan), v_settings,
        nullif(current_setting('headgate.place', true), ''), true
    )
    on conflict (kind, name) do update
    set position = excluded.position,
        settings = excluded.settings,
        place = excluded.place,
        is_declared = true;
    return case
        when v_row is null then 'created'
        when v_written = '{}' then 'unchanged'
        else 'changed: ' || array_to_string(v_written, ', ')
    end;
end;
$func$;

-- Arguments that were passed; null means omitted.
create or replace function headgate._given(p_settings jsonb)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(jsonb_object_agg(s.key, s.value), '{}')
    from jsonb_each(p_settings) as s (key, value)
    where s.value <> 'null';
$func$;

create or replace function headgate._next_position(p_plan text)
returns integer
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select count(*)::integer + 1 from headgate.declarations as d where d.plan = p_plan and d.is_declared;
$func$;

-- Write the differences; returns the written settings, or null for an invalid object.
create or replace function headgate._merge(
    p_kind text,
    p_name text,
    p_row jsonb,
    p_said jsonb,
    p_says jsonb
)
returns text[]
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_defaults constant jsonb := headgate._defaults(p_kind);
    v_operators constant text[] := headgate._operators_settings(p_kind);
    v_new jsonb;
    v_differ text[];
begin
    -- A row that no file has declared before is compared in full, except for what operators set.
    select v_defaults || coalesce(p_row, '{}')
        || jsonb_object_agg(k.key, coalesce(p_says -> k.key, v_defaults -> k.key))
    into v_new
    from jsonb_object_keys(v_defaults) as k (key)
    where p_row is null
        or p_said is null and k.key <> all (v_operators)
        or p_said is not null and p_says -> k.key is distinct from p_said -> k.key;
    v_new := coalesce(v_new, p_row);
    v_differ := array(
        select k.key
        from jsonb_object_keys(v_defaults) as k (key)
        where v_new -> k.key is distinct from p_row -> k.key
        order by k.key
    );

    if p_row is null or v_differ <> '{}' then
        if headgate._find_violations(p_kind, p_name, v_new) or headgate._is_mistaken(p_kind, p_name) then
            return null;
        end if;
        perform headgate._write_object(p_kind, p_name, v_new, case when p_row is not null then v_differ end);
        perform headgate._after_declaring(p_kind, p_name, v_differ);
    end if;
    return v_differ;
end;
$func$;

-- Settings that operators change at run time with headgate.set_provider, set_pool, set_store, set_check and
-- set_channel. A file that adopts a row leaves them alone.
create or replace function headgate._operators_settings(p_kind text)
returns text[]
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select case p_kind
        when 'provider' then array[
            'base_url', 'quota', 'quota_buffer', 'requests_per_minute', 'burst', 'max_in_flight', 'breaker_failures',
            'breaker_share', 'breaker_cooldown', 'publication_lag', 'secret_name', 'features'
        ]
        when 'operation' then array['overlap']
        when 'pool' then array['slots']
        when 'store' then array['url', 'endpoint', 'region', 'key_id_name', 'secret_name']
        when 'check' then array['severity', 'warn_if', 'error_if', 'hold_for']
        when 'channel' then array['secret_name', 'host', 'port', 'username', 'sender', 'recipients']
        else '{}'
    end;
$func$;

-- Apply the consequences of the new values for existing rows.
create or replace function headgate._after_declaring(
    p_kind text,
    p_name text,
    p_written text[]
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    if p_kind = 'provider' and p_written && array['quota', 'quota_buffer'] then
        perform headgate._refit_window(p_name);
    elsif p_kind = 'operation' and p_written && array['universe', 'is_retired'] then
        perform headgate._settle_implied_asset(p_name);
    end if;
    if p_kind = 'operation'
        and p_written && array['due_rule', 'due_every', 'due_function', 'inputs', 'is_retired']
    then
        perform headgate._reschedule(o) from headgate.operations as o where o.name = p_name;
    elsif p_kind = 'pool' then
        perform headgate._wake_pool(p_name, headgate.clock());
    end if;
end;
$func$;
