-- A small world for tests of the SQL core, as rows: three providers, four pipelines, and an ingest function that obeys
-- its payload. Tests add their own assets.

do $role$
begin
    if not exists (select from pg_catalog.pg_roles as r where r.rolname = 'headgate_plan_toy') then
        create role headgate_plan_toy nologin;
    end if;
end;
$role$;

create schema toy authorization headgate_plan_toy;
grant usage on schema toy to headgate_nobody;
grant usage on schema headgate to headgate_plan_toy;
grant execute on function headgate.clock() to headgate_plan_toy;
set role headgate_plan_toy;

create table toy.answers (
    asset_id bigint not null,
    operation text not null,
    payload text,
    times integer not null default 1,
    context jsonb not null,
    constraint answers_pkey primary key (asset_id, operation)
);

-- A payload states the ingest function's result for it: {"status", "records", "watermark", "reason"}, or {"raise":
-- SQLSTATE}.
create function toy.keep(p_context jsonb, p_asset_ids bigint[], p_payloads text[])
returns setof headgate.ingest_result
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_answer record;
begin
    insert into toy.answers as a (asset_id, operation, payload, context)
    select u.asset_id, p_context ->> 'operation', u.payload, p_context
    from unnest(p_asset_ids, p_payloads) as u (asset_id, payload)
    on conflict (asset_id, operation) do update
    set payload = excluded.payload, times = a.times + 1, context = excluded.context;

    for v_answer in
        select u.asset_id, coalesce(u.payload, '{}')::jsonb as says from unnest(p_asset_ids, p_payloads) as u (asset_id, payload)
    loop
        if v_answer.says ? 'raise' then
            raise exception using errcode = v_answer.says ->> 'raise', message = 'poison in asset ' || v_answer.asset_id;
        end if;
        return next row(
            v_answer.asset_id,
            coalesce(v_answer.says ->> 'status', 'success'),
            coalesce((v_answer.says ->> 'records')::integer, 1),
            (v_answer.says ->> 'watermark')::timestamptz,
            v_answer.says ->> 'reason'
        )::headgate.ingest_result;
    end loop;
end;
$func$;

-- Due a week after the watermark.
create function toy.weekly(p_asset_id bigint, p_watermark timestamptz, p_now timestamptz)
returns timestamptz
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(p_watermark + interval '7 days', p_now);
$func$;

reset role;

insert into headgate.providers (name, base_url, auth, secret_name, quota, publication_lag)
values
    ('shop', 'http://shop.test/api', '{"in": "query", "name": "token"}', 'SHOP_TOKEN', 100, '15 minutes'),
    ('side', 'http://side.test', '{"in": "none"}', null, null, '0');

insert into headgate.response_rules (provider_id, position, status, outcome, fault, blocks, reason)
select p.provider_id, r.*
from headgate.providers as p
cross join (values
    (1, '200', 'success', 'item', null, 'answered'),
    (2, '404', 'failed', 'item', null, 'unknown'),
    (3, '402', 'deferred', 'quota', 'reset', 'used up'),
    (4, '429', 'retry', 'quota', 'retry_after', 'too fast')
) as r (position, status, outcome, fault, blocks, reason)
where p.name in ('shop', 'side');

insert into headgate.operations (
    name, universe, provider_id, units, priority, bundle, due_rule, due_every, due_function, chunk_size, path, query,
    ingest_function
)
select o.name, o.universe, p.provider_id, o.units, o.priority, o.bundle, o.due_rule, o.due_every, o.due_function, 10,
    o.path, o.query::jsonb, 'toy.keep'
from (values
    ('look', 'things', 'shop', 1, 5, null, 'every', interval '1 day', null, '/look/{asset.code}', '{}'),
    ('open', 'books', 'shop', 10, 5, 'new', 'once', null, null, '/open/{asset.code}', '{"lang": "{param.lang?}"}'),
    ('history', 'books', 'shop', 1, 5, 'new', 'once', null, null, '/bars/{asset.code}', '{}'),
    ('update', 'books', 'shop', 1, 2, null, 'session', null, null, '/bars/{asset.code}', '{"from": "{state.watermark?}"}'),
    ('sum', 'books', 'local', 0, 4, null, 'after', null, null, null, '{}'),
    ('peek', 'others', 'side', 0, 5, null, 'every', interval '1 hour', null, '/peek/{asset.code}', '{}'),
    ('weigh', 'inners', 'local', 0, 5, null, 'function', null, 'toy.weekly', null, '{}')
) as o (name, universe, provider, units, priority, bundle, due_rule, due_every, due_function, path, query)
join headgate.providers as p on p.name = o.provider
order by array_position(array['look', 'open', 'history', 'update', 'sum', 'peek', 'weigh'], o.name);

update headgate.operations as o
set follows_operation_id = h.operation_id
from headgate.operations as h
where o.name = 'update'
    and h.name = 'history';

insert into headgate.operation_inputs (operation_id, input_operation_id)
select o.operation_id, i.operation_id
from headgate.operations as o
join headgate.operations as i on i.name in ('history', 'update')
where o.name = 'sum';

insert into headgate.pipelines (name)
values ('plain'), ('library'), ('aside'), ('within');

insert into headgate.pipeline_steps (
    pipeline_id, step, position, kind, depends_on, trigger_rule, function, operations, group_keys
)
select p.pipeline_id, s.step, s.position, s.kind, s.depends_on::text[], s.trigger_rule, s.function, s.operations::text[],
    s.group_keys::text[]
from headgate.pipelines as p
join (values
    ('plain', 'start', 1, 'function', '{}', 'all_success', 'headgate.start_execution', null, null),
    ('plain', 'quota', 2, 'function', '{start}', 'all_success', 'headgate.check_quota', null, null),
    ('plain', 'a', 3, 'fan_out', '{quota}', 'all_success', null, '{look}', '{A}'),
    ('plain', 'b', 4, 'fan_out', '{quota}', 'all_success', null, '{look}', '{B}'),
    ('plain', 'finish', 5, 'function', '{a,b}', 'all_done', 'headgate.finalize_execution', null, null),
    ('library', 'start', 1, 'function', '{}', 'all_success', 'headgate.start_execution', null, null),
    ('library', 'quota', 2, 'function', '{start}', 'all_success', 'headgate.check_quota', null, null),
    ('library', 'west', 3, 'fan_out', '{quota}', 'all_success', null, '{open,history,update}', '{W}'),
    ('library', 'east', 4, 'fan_out', '{quota}', 'all_success', null, '{open,history,update}', '{E,F}'),
    ('library', 'sum', 5, 'fan_out', '{west,east}', 'all_done', null, '{sum}', null),
    ('library', 'finish', 6, 'function', '{sum}', 'all_done', 'headgate.finalize_execution', null, null),
    ('aside', 'all', 1, 'fan_out', '{}', 'all_success', null, '{peek}', null),
    ('within', 'all', 1, 'fan_out', '{}', 'all_success', null, '{weigh}', null)
) as s (pipeline, step, position, kind, depends_on, trigger_rule, function, operations, group_keys)
    on s.pipeline = p.name;

insert into headgate.pipeline_parameters (
    pipeline_id, name, type, default_value, allowed, effect, operations, meanings
)
select p.pipeline_id, m.name, m.type, m.default_value::jsonb, m.allowed::text[], m.effect, m.operations::text[],
    m.meanings::jsonb
from headgate.pipelines as p
cross join (values
    ('quota', 'integer', 'null', null, 'quota', null, null),
    ('buffer', 'integer', 'null', null, 'quota_buffer', null, null),
    ('max_new', 'integer', 'null', null, 'max_assets', '{open,history}', null),
    ('max_updates', 'integer', 'null', null, 'max_assets', '{update}', null),
    ('new_chunk', 'integer', 'null', null, 'chunk_size', '{open,history}', null),
    ('mode', 'text', '"auto"', '{auto,new,known}', 'mode', null, '{"new": ["open", "history"], "known": ["update"]}'),
    ('groups', 'list', 'null', null, 'groups', null, '{"attribute": "exchange"}'),
    ('assets', 'list', 'null', null, 'assets', null, null),
    ('lang', 'text', 'null', null, 'request', null, null)
) as m (name, type, default_value, allowed, effect, operations, meanings)
where p.name = 'library';

select headgate.check_plans();
select headgate.note_schema();
