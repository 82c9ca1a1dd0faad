-- The effect of an answer, computed by the same functions as in a completion and rolled back here, even if the caller
-- commits. An operation without a request runs without an answer. p_head is a JSON document with what is known of an
-- answer besides its body: {status, duration_ms, headers}.

create or replace function headgate.try_answer(
    p_operation text,
    p_asset_id bigint,
    p_answer text,
    p_pipeline text default null,
    p_params jsonb default '{}',
    p_head text default null
)
returns table (
    status text, records integer, watermark timestamptz, reason text, written jsonb, verdict text
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_trial record;
    v_judged record;
    v_before jsonb;
    v_result headgate.ingest_result;
begin
    begin
        select * into v_trial from headgate._trial(p_operation, p_asset_id, p_pipeline, p_params);
        if (v_trial.call).handler is not null then
            perform headgate._raise(
                'HG008', format('operation %s has a handler, which computes its rows', (v_trial.call).name),
                'a run shows what it does; a parameter of the pipeline may limit it to one asset'
            );
        end if;
        v_before := headgate._rows_written();
        select j.outcomes, j.errors, j.verdicts into v_judged
        from headgate._judge_answers(
            v_trial.chunk, v_trial.call, array[p_asset_id], array[p_answer], null, array[p_head], array['success'],
            null, null
        ) as j;
        select r.* into v_result
        from unnest(headgate._ingest(
            v_trial.chunk, v_trial.call, true, array[p_asset_id], v_judged.outcomes, array[p_answer],
            case
                when (v_trial.call).is_ingest_of_answers
                    then headgate._answers(array[p_asset_id], array[p_answer], array[1], null, array[p_head])
            end,
            null, null::text[], headgate.clock()
        )) as r
        where r.asset_id = p_asset_id;
        written := headgate._more_written(v_before, headgate._rows_written());
        raise sqlstate 'UNDO0';
    exception
        when sqlstate 'UNDO0' then
            verdict := v_judged.verdicts[1];
            if v_result.asset_id is not null then
                status := v_result.status;
                reason := coalesce(v_result.reason, v_judged.errors[1]);
            elsif v_judged.outcomes[1] <> 'success' then
                status := v_judged.outcomes[1];
                reason := v_judged.errors[1];
            elsif (v_trial.call).ingest_function is null then
                status := 'success';
                reason := coalesce(v_judged.errors[1], 'it has no ingest function: answers are not stored');
            else
                status := 'failed';
                reason := 'the ingest function returned no row for this asset';
            end if;
            records := coalesce(v_result.records, 0);
            watermark := v_result.watermark;
            return next;
    end;
end;
$func$;

comment on function headgate.try_answer(text, bigint, text, text, jsonb, text) is
    'What an operation''s expectations and ingest function would make of an answer for an asset: its result, and the '
    'rows written, by table. Changes nothing.';

-- Rows written by this transaction so far, by table; partitions count as their table.
create or replace function headgate._rows_written()
returns jsonb
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(jsonb_object_agg(t.name, t.counts), '{}')
    from (
        select
            coalesce(pg_partition_root(s.relid), s.relid)::regclass::text as name,
            jsonb_build_object(
                'inserted', sum(s.n_tup_ins), 'updated', sum(s.n_tup_upd), 'deleted', sum(s.n_tup_del)
            ) as counts
        from pg_stat_xact_user_tables as s
        where s.n_tup_ins + s.n_tup_upd + s.n_tup_del > 0
        group by 1
    ) as t;
$func$;

create or replace function headgate._more_written(
    p_before jsonb,
    p_after jsonb
)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(jsonb_object_agg(t.name, t.counts), '{}')
    from (
        select
            a.key as name,
            jsonb_object_agg(c.key, c.value::bigint - coalesce((p_before -> a.key ->> c.key)::bigint, 0)) as counts
        from jsonb_each(p_after) as a
        cross join jsonb_each_text(a.value) as c
        where a.value is distinct from p_before -> a.key
        group by a.key
    ) as t;
$func$;
