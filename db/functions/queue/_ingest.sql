-- Payloads become rows through the operation's ingest function: the whole set at once and, if that raises, in halves
-- until the faulty job is alone. A deadlock or a server error (disk, memory, shutdown) aborts the transaction, which is
-- repeated. Any other error is an internal fault (a missing right, a wrong statement): the set is deferred and the
-- execution ends, because repeating it would only cost more.

create or replace function headgate._ingest(
    p_chunk headgate.chunks,
    p_operation headgate.operations,
    p_is_whole boolean,
    p_asset_ids bigint[],
    p_outcomes text[],
    p_payloads text[],
    p_answers headgate.answer[],
    p_row_counts integer[],
    p_rows anyarray,
    p_now timestamptz,
    p_context jsonb default null
)
returns headgate.ingest_result[]
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_taken integer[];
    v_asset_ids bigint[] := p_asset_ids;
    v_counts integer[];
    v_places integer[];
    v_rows p_rows%type := p_rows;
    v_context jsonb;
begin
    if p_operation.ingest_function is null then
        return '{}';
    elsif p_chunk.is_bulk then
        return case
            when p_outcomes[1] = 'success' then headgate._ingest_last(p_chunk, p_operation, p_payloads, p_now)
            else '{}'
        end;
    end if;
    if p_is_whole and 'success' = all (p_outcomes) then
        v_taken := array(select generate_series(1, cardinality(p_asset_ids)));
    else
        v_taken := array(
            select u.nth
            from (
                select distinct on (r.asset_id) r.*
                from unnest(p_asset_ids, p_outcomes) with ordinality as r (asset_id, outcome, nth)
                order by r.asset_id, r.nth
            ) as u
            where u.outcome = 'success'
                and u.asset_id = any (p_chunk.asset_ids)
            order by u.nth
        );
    end if;
    if v_taken = '{}' then
        return '{}';
    end if;
    v_context := coalesce(p_context, headgate._context(p_chunk, p_operation, p_now));

    if p_answers is not null then
        if cardinality(v_taken) < cardinality(p_asset_ids) then
            v_asset_ids := array(select p_asset_ids[t.nth] from unnest(v_taken) as t (nth) order by t.nth);
            p_answers := array(select p_answers[t.nth] from unnest(v_taken) as t (nth) order by t.nth);
        end if;
        return headgate._ingest_set(p_operation.ingest_function, v_context, v_asset_ids, null, p_answers);
    elsif p_row_counts is null then
        -- Usually this is the whole report. It is not copied then, because payloads are large.
        if cardinality(v_taken) < cardinality(p_asset_ids) or p_payloads is null then
            v_asset_ids := array(select p_asset_ids[t.nth] from unnest(v_taken) as t (nth) order by t.nth);
            p_payloads := array(select p_payloads[t.nth] from unnest(v_taken) as t (nth) order by t.nth);
        end if;
        if p_operation.stage is not null then
            return headgate._ingest_staged(p_chunk, p_operation, v_context, v_asset_ids, p_payloads);
        end if;
        return headgate._ingest_set(p_operation.ingest_function, v_context, v_asset_ids, null, p_payloads);
    end if;
    select
        array_agg(u.asset_id order by u.nth),
        array_agg(u.count order by u.nth),
        array_agg(u.place order by u.nth)
    into v_asset_ids, v_counts, v_places
    from (
        select r.*, sum(r.count) over (order by r.nth) - r.count as place
        from unnest(p_asset_ids, p_row_counts) with ordinality as r (asset_id, count, nth)
    ) as u
    where cardinality(v_taken) = cardinality(p_asset_ids) or u.nth = any (v_taken);
    if (select sum(u.count) from unnest(v_counts) as u (count)) <> cardinality(p_rows) then
        v_rows := array(
            select p_rows[u.place + i]
            from unnest(v_counts, v_places) with ordinality as u (count, place, nth)
            cross join generate_series(1, u.count) as i
            order by u.nth, i
        );
    end if;
    return headgate._ingest_set(p_operation.ingest_function, v_context, v_asset_ids, v_counts, v_rows);
end;
$func$;

-- Rows that are staged are all there, or their job fails: a crash of the server empties its unlogged tables.
create or replace function headgate._ingest_staged(
    p_chunk headgate.chunks,
    p_operation headgate.operations,
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
    v_asset_ids bigint[];
    v_payloads text[];
    v_lost headgate.ingest_result[];
begin
    execute format(
        'select array_agg(u.asset_id) filter (where u.is_whole), array_agg(u.payload) filter (where u.is_whole), '
        'array_agg(row(u.asset_id, ''failed'', 0, null, ''its staged rows are gone'')::headgate.ingest_result) '
        'filter (where not u.is_whole) from (select u.asset_id, u.payload, '
        '(u.payload::jsonb ->> ''rows'')::bigint = coalesce(s.count, 0) as is_whole '
        'from unnest($3, $4) as u (asset_id, payload) left join (select s.asset_id, count(*) as count '
        'from headgate_stage.%I as s where s.chunk_id = $1 and s.lease_no = $2 group by s.asset_id) as s '
        'using (asset_id)) as u', p_operation.name
    )
    into v_asset_ids, v_payloads, v_lost
    using p_chunk.chunk_id, p_chunk.lease_no, p_asset_ids, p_payloads;
    if v_asset_ids is null then
        return v_lost;
    end if;
    return coalesce(v_lost, '{}') || headgate._ingest_set(
        p_operation.ingest_function, p_context, v_asset_ids, null, v_payloads
    );
end;
$func$;

-- p_counts[i] of the answers belong to p_asset_ids[i]; null: one to each.
create or replace function headgate._ingest_set(
    p_function text,
    p_context jsonb,
    p_asset_ids bigint[],
    p_counts integer[],
    p_answers anyarray
)
returns headgate.ingest_result[]
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_count constant integer := cardinality(p_asset_ids);
    v_half constant integer := v_count / 2;
    v_cut integer;
begin
    begin
        return coalesce(headgate._call_ingest(p_function, p_context, p_asset_ids, p_answers), '{}');
    exception
        when others then
            if headgate._fault_of_error(sqlstate) = 'server' then
                raise;
            elsif headgate._fault_of_error(sqlstate) = 'internal' then
                return array(
                    select row(
                        u.asset_id, 'deferred', 0, null, format('%s: %s', p_function, left(sqlerrm, 400))
                    )::headgate.ingest_result
                    from unnest(p_asset_ids) as u (asset_id)
                );
            elsif v_count = 1 then
                return array[row(p_asset_ids[1], 'failed', 0, null, left(sqlerrm, 1000))::headgate.ingest_result];
            end if;
    end;

    v_cut := coalesce((select sum(u.count) from unnest(p_counts[: v_half]) as u (count)), v_half);
    return headgate._ingest_set(
        p_function, p_context, p_asset_ids[: v_half], p_counts[: v_half], p_answers[: v_cut]
    ) || headgate._ingest_set(
        p_function, p_context, p_asset_ids[v_half + 1 :], p_counts[v_half + 1 :], p_answers[v_cut + 1 :]
    );
end;
$func$;

-- The result of the answers for all remaining sessions of the chunk for its assets, except those missing from earlier
-- answers.
create or replace function headgate._ingest_last(
    p_chunk headgate.chunks,
    p_operation headgate.operations,
    p_answers text[],
    p_now timestamptz
)
returns headgate.ingest_result[]
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set enable_nestloop = off
as $func$
declare
    v_results constant headgate.ingest_result[] := headgate._ingest_for_all(p_chunk, p_operation, p_answers, p_now);
begin
    if p_chunk.records is null then
        return v_results;
    end if;
    return array(
        select row(r.asset_id, r.status, r.records + b.records, r.watermark, r.reason)::headgate.ingest_result
        from unnest(v_results) as r
        join unnest(p_chunk.asset_ids, p_chunk.records) as b (asset_id, records) using (asset_id)
        where b.records is not null
            or r.status = 'deferred'
    );
end;
$func$;
