-- The bodies that a plan's function writes for a chunk's requests. One that raises does not fail the claim: fault says
-- why none of the chunk's requests can be made, and its jobs are deferred.

create or replace function headgate._called_bodies(
    p_chunk headgate.chunks,
    p_operation headgate.operations,
    p_params jsonb,
    out bodies text[],
    out refused jsonb,
    out fault text
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
begin
    select
        array_agg(case when r.count = 1 then r.body end order by u.nth),
        jsonb_object_agg(u.asset_id, case
            when r.count is null then format('%s wrote no body for %s', p_operation.body_function, a.code)
            when r.count > 1 then format('%s wrote %s bodies for %s', p_operation.body_function, r.count, a.code)
        end)
    into bodies, refused
    from unnest(p_chunk.asset_ids) with ordinality as u (asset_id, nth)
    join headgate.assets as a using (asset_id)
    left join (
        select b.asset_id, count(*) as count, (array_agg(b.body::text))[1] as body
        from headgate._call_body(
            p_operation.body_function, headgate._request_context(p_chunk, p_operation, p_params), p_chunk.asset_ids
        ) as b
        where b.body is not null
        group by b.asset_id
    ) as r using (asset_id);
exception
    when others then
        if headgate._fault_of_error(sqlstate) = 'server' then
            raise;
        end if;
        fault := format('body function %s: %s', p_operation.body_function, left(sqlerrm, 400));
end;
$func$;

-- The context of such a function; its `now` is the moment of planning, so that it is the same in every delivery.
create or replace function headgate._request_context(
    p_chunk headgate.chunks,
    p_operation headgate.operations,
    p_params jsonb
)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select jsonb_build_object(
        'pipeline', p_params #> '{?run,pipeline}', 'run_id', p_params #> '{?run,id}', 'step', p_chunk.step,
        'operation', p_operation.name, 'group_key', p_chunk.group_key, 'now', p_chunk.planned_at,
        'params', (
            select coalesce(jsonb_object_agg(p.key, p.value), '{}')
            from jsonb_each(p_params) as p (key, value)
            where p.key not like '?%'
        ),
        'run', p_params -> '?run'
    );
$func$;

create or replace function headgate._call_body(
    p_function text,
    p_context jsonb,
    p_asset_ids bigint[]
)
returns table (asset_id bigint, body jsonb)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
begin
    if not headgate._is_plainly_fit(p_function) then
        perform headgate.require_fit(p_function);
    end if;
    return query select b.* from headgate._bodies_as_nobody(
        format('select b.asset_id, b.body from %s($1, $2) as b', headgate._checked_name(p_function)),
        p_context, p_asset_ids
    ) as b;
end;
$func$;

create or replace function headgate._bodies_as_nobody(
    p_query text,
    p_context jsonb,
    p_asset_ids bigint[]
)
returns table (asset_id bigint, body jsonb)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
begin
    return query execute p_query using p_context, p_asset_ids;
end;
$func$;

-- Owned by headgate_nobody. The new owner of a function needs the right to create in the schema, for that moment.
grant usage, create on schema headgate to headgate_nobody;
alter function headgate._bodies_as_nobody(text, jsonb, bigint[]) owner to headgate_nobody;
revoke create on schema headgate from headgate_nobody;
