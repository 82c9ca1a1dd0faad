-- Payloads become rows through the operation's ingest function: the whole set at once; if that raises, in halves, until the
-- guilty job is alone. A deadlock or a server in trouble (disk, memory, shutdown) ends the transaction, to be repeated whole.
-- Any other fault is the house's (a missing right, a wrong statement): the set is deferred and the execution ends, because more
-- of the same would only cost more.

create or replace function headgate._ingest(
    p_chunk headgate.chunks,
    p_operation headgate.operations,
    p_asset_ids bigint[],
    p_outcomes text[],
    p_payloads text[],
    p_now timestamptz
)
returns headgate.ingest_result[]
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_asset_ids bigint[];
    v_payloads text[];
    v_context jsonb;
begin
    if p_operation.ingest_function is null then
        return '{}';
    end if;
    select
        array_agg(u.asset_id order by u.nth),
        array_agg(u.payload order by u.nth)
    into v_asset_ids, v_payloads
    from (
        select distinct on (r.asset_id) r.*
        from unnest(p_asset_ids, p_outcomes, p_payloads) with ordinality as r (asset_id, outcome, payload, nth)
        where r.asset_id = any (p_chunk.asset_ids)
        order by r.asset_id, r.nth
    ) as u
    where u.outcome = 'success';
    if v_asset_ids is null then
        return '{}';
    end if;

    select jsonb_build_object(
        'pipeline', p.name, 'run_id', e.run_id, 'step', p_chunk.step, 'operation', p_operation.name,
        'group_key', p_chunk.group_key, 'params', e.params, 'now', p_now
    )
    into v_context
    from headgate.process_executions as e
    join headgate.pipelines as p using (pipeline_id)
    where e.execution_id = p_chunk.execution_id;
    return headgate._ingest_set(
        headgate._checked_name(p_operation.ingest_function), v_context, v_asset_ids, v_payloads
    );
end;
$func$;

create or replace function headgate._ingest_set(
    p_function text,
    p_context jsonb,
    p_asset_ids bigint[],
    p_payloads text[]
)
returns headgate.ingest_result[]
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_results headgate.ingest_result[];
    v_count constant integer := cardinality(p_asset_ids);
    v_half constant integer := v_count / 2;
begin
    begin
        execute format('select array_agg(r) from %s($1, $2, $3) as r', p_function)
        into v_results using p_context, p_asset_ids, p_payloads;
        return coalesce(v_results, '{}');
    exception
        when others then
            if left(sqlstate, 2) in ('08', '40', '53', '55', '57', '58') then
                raise;
            elsif left(sqlstate, 2) not in ('21', '22', '23', '44', '54', 'P0', 'HG') then
                return array(
                    select row(u.asset_id, 'deferred', 0, null, format('%s: %s', p_function, left(sqlerrm, 400)))::headgate.ingest_result
                    from unnest(p_asset_ids) as u (asset_id)
                );
            elsif v_count = 1 then
                return array[row(p_asset_ids[1], 'failed', 0, null, left(sqlerrm, 1000))::headgate.ingest_result];
            end if;
    end;

    return headgate._ingest_set(p_function, p_context, p_asset_ids[: v_half], p_payloads[: v_half])
        || headgate._ingest_set(p_function, p_context, p_asset_ids[v_half + 1 :], p_payloads[v_half + 1 :]);
end;
$func$;
