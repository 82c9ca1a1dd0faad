-- A runner hands in results: rows, state, details, counters, the message and, last, the breaker and the quota, in one
-- commit. May be called several times per lease, in slices; an outdated token changes nothing. A handler's results are
-- rows of its ingest function's type: p_row_counts[i] of them belong to p_asset_ids[i]. A bulk call has one payload per
-- answered session, in order; if it succeeded for only some of the sessions, the chunk continues with the others. Where
-- outputs or expectations are declared, p_answers has what is known of an answer besides its body, {status,
-- duration_ms, headers}; for a handler, its output. p_files are files that the runner has put into the operation's
-- store: headgate._keep_artifacts. p_peak_memory and p_cpu_ms are what a handler's process took: its peak in bytes, and
-- each job's share of the processor time. p_position is the position up to which changes were read:
-- headgate.open_changes. A runner whose p_protocol is not served hands in what it holds, and gets no more. p_room is as
-- in headgate.claim_jobs.

create or replace function headgate.complete_jobs(
    p_runner text,
    p_chunk_id bigint,
    p_lease_no integer,
    p_asset_ids bigint[],
    p_outcomes text[],
    p_faults text[] default null,
    p_payloads text[] default null,
    p_errors text[] default null,
    p_request_counts integer[] default null,
    p_durations_ms integer[] default null,
    p_block jsonb default null,
    p_claim integer default 0,
    p_queues text[] default null,
    p_charged integer[] default null,
    p_row_counts integer[] default null,
    p_rows anyarray default null::pg_catalog.text[],
    p_answers text[] default null,
    p_files jsonb default null,
    p_peak_memory bigint default null,
    p_cpu_ms integer default null,
    p_position text default null,
    p_protocol integer default 1,
    p_room integer default null,
    p_more_chunk_ids bigint[] default null,
    p_more_lease_nos integer[] default null
)
returns setof headgate.claimed_chunk
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_parts constant headgate.chunks[] := case
        when p_more_chunk_ids is not null
            then headgate._held_chunks(p_runner, p_chunk_id || p_more_chunk_ids, p_lease_no || p_more_lease_nos)
    end;
    v_chunk constant headgate.chunks := case
        when v_parts is null then headgate._held_chunk(p_runner, p_chunk_id, p_lease_no)
        else headgate._folded(v_parts, p_asset_ids)
    end;
    v_is_whole constant boolean := p_asset_ids = v_chunk.asset_ids;  -- each job of the chunk once
    v_operation headgate.operations;
    v_call headgate.operations;
    v_provider headgate.providers;
    v_answers headgate.answer[];
    v_results headgate.ingest_result[];
    v_block jsonb;
    v_stop_reason text;
    v_blocked record;
    v_reports headgate.job_report[];
    v_job_results headgate.job_result[];
    v_tally headgate.job_tally;
    v_refund integer;
    v_unstarted headgate.chunks[] := '{}';
    v_outcomes text[] := p_outcomes;  -- the provider's (p_outcomes), judged by the plan
    v_faults text[] := p_faults;
    v_verdicts text[];
    v_outputs jsonb[];
    v_cached bigint[];  -- assets that the cache served
    v_asked text[] := p_outcomes;  -- p_outcomes, without what the cache served: it says nothing of the provider
    v_second constant text := extract(epoch from clock_timestamp())::bigint::text;
begin
    perform headgate._check_report(
        v_chunk, p_asset_ids, p_outcomes, p_faults, p_payloads, p_request_counts, p_charged, p_block, p_row_counts,
        cardinality(p_rows), cardinality(p_answers)
    );
    select * into v_operation from headgate.operations as o where o.operation_id = v_chunk.operation_id;
    if not v_chunk.is_bulk then
        v_call := v_operation;
    else
        select * into v_call from headgate.operations as o where o.operation_id = v_chunk.call_operation_id;
    end if;
    select * into v_provider from headgate.providers as p where p.provider_id = v_chunk.provider_id;

    if p_outcomes[1] = 'success' and cardinality(p_payloads) < cardinality(v_chunk.sessions) then
        v_refund := headgate._go_on(v_chunk, v_operation, v_call, p_payloads, p_request_counts, p_charged, v_now);
        perform headgate._note_answers(
            v_provider, v_call.operation_id, v_chunk, p_outcomes, null, null, null, null, v_now
        );
        perform headgate._move_units(v_chunk.provider_id, v_chunk.window_opened_at, 0, -v_refund);
        return;
    end if;

    if v_call.cache is not null then
        select s.assets, s.asked into v_cached, v_asked
        from headgate._cached(p_asset_ids, p_outcomes, p_request_counts) as s;
    end if;
    if v_call.handler is not null and p_answers is null then
        v_outputs := '{}';  -- no job has one now, or keeps that of an earlier round
    elsif num_nonnulls(v_call.outputs, v_call.expectations, v_call.handler) > 0 then
        select j.outcomes, j.faults, j.errors, j.verdicts, j.outputs
        into v_outcomes, v_faults, p_errors, v_verdicts, v_outputs
        from headgate._judge_answers(
            v_chunk, v_call, p_asset_ids, p_payloads, p_durations_ms, p_answers, p_outcomes, p_faults, p_errors
        ) as j;
    end if;
    if v_call.is_ingest_of_answers then
        v_answers := headgate._answers(p_asset_ids, p_payloads, p_request_counts, p_durations_ms, p_answers);
    end if;
    if v_parts is null then
        v_results := headgate._ingest(
            v_chunk, v_call, v_is_whole, p_asset_ids, v_outcomes, p_payloads, v_answers, p_row_counts, p_rows, v_now
        );
    else
        v_results := headgate._ingest_parts(v_parts, v_call, v_outcomes, v_answers, v_now);
    end if;
    if v_call.stage is not null then
        perform headgate._clear_stage(v_call, v_chunk, p_asset_ids);
    end if;
    if p_block is not null then
        v_block := headgate._live_block(v_provider, v_chunk, p_block, v_now);
    end if;
    if v_block is null then  -- a broken ingest function ends the execution, as a rejected token does
        v_block := (
            select jsonb_build_object('until', 'execution', 'reason', r.reason)
            from unnest(v_results) as r
            where r.status = 'deferred'
            limit 1
        );
    end if;
    if v_block ->> 'until' = 'execution' then
        v_stop_reason := coalesce(v_block ->> 'reason', 'blocked');
    end if;
    select * into v_blocked from headgate._block_until(
        v_provider, v_call.operation_id, v_block, v_asked, p_faults, v_now
    );
    v_reports := array(
        select r
        from headgate._reports(
            v_chunk, v_is_whole, v_call.ingest_function is not null, p_asset_ids, v_outcomes, v_faults, p_errors,
            p_request_counts, p_charged, p_durations_ms, v_verdicts, v_results
        ) as r
    );
    v_job_results := array(
        select r
        from headgate._resolve(
            v_chunk, v_call, v_reports, v_blocked.blocked_until, v_blocked.reason, v_stop_reason, v_cached, v_now
        ) as r
    );

    if v_call.next_page is not null then
        v_job_results := headgate._turn_pages(
            v_chunk, v_call, p_asset_ids, p_payloads, p_answers, v_job_results, v_now
        );
    end if;
    v_tally := headgate._tally(v_job_results);
    perform headgate._apply_results(
        v_chunk, v_parts, v_operation, v_job_results, v_tally, p_peak_memory, p_cpu_ms, v_now
    );
    if v_outputs is not null then
        perform headgate._keep_outputs(v_chunk, p_asset_ids, v_outputs, v_job_results);
    end if;
    if p_files is not null then
        perform headgate._keep_artifacts(v_chunk, v_operation, p_files, v_job_results, v_now);
    end if;
    if v_operation.changes_of is not null then
        perform headgate._forget_changes(v_operation, v_job_results, p_position);
    end if;
    if v_call.statement is not null and p_answers is not null then
        perform headgate._keep_snapshots(v_chunk, p_asset_ids, p_answers, v_job_results);
    end if;
    if v_call.headers::text ~ '[{]state[.](etag|last_modified)[?]?[}]' and p_answers is not null then
        perform headgate._keep_validators(v_chunk, p_asset_ids, p_answers, v_job_results);
    end if;
    if v_call.cache is not null then
        perform headgate._keep_cached(
            v_chunk, v_call, p_asset_ids, p_payloads, p_answers, v_cached, v_job_results, v_now
        );
    end if;
    if v_tally.parked > 0 then
        perform headgate._end_late_parked(v_chunk, p_asset_ids, v_now);
    end if;
    if v_stop_reason is not null then
        v_unstarted := headgate._end_unstarted(v_chunk, 'internal: ' || v_stop_reason, v_now);
    end if;
    if v_chunk.pool is not null then
        perform headgate._wake_pool(v_chunk.pool, v_now);
    end if;
    perform headgate._note_answers(
        v_provider, v_call.operation_id, v_chunk, v_asked, p_faults, v_block, v_blocked.provider_until,
        v_blocked.provider_reason, v_now
    );
    if v_unstarted <> '{}' then
        perform headgate._return_units(v_unstarted);
    end if;
    if v_tally.refund <> 0 then
        perform headgate._move_units(v_chunk.provider_id, v_chunk.window_opened_at, 0, -v_tally.refund);
    end if;

    -- For pages that follow runs. Once a second in a session: commits that notify wait for each other.
    if current_setting('headgate.told_in', true) is distinct from v_second then
        perform set_config('headgate.told_in', v_second, false), pg_notify('headgate_progress', '');
    end if;

    -- A completion that holds a pool, the breaker or the window claims in a second transaction.
    if p_claim > 0
        and p_protocol <@ headgate._protocols()
        and v_tally.refund = 0
        and v_block is null
        and v_chunk.pool is null
        and not coalesce('provider' = any (p_faults), false)
    then
        return query
        select * from headgate._claim_next(
            p_runner, v_chunk, v_provider, p_claim, p_queues, p_room, v_now
        );
    end if;
end;
$func$;

comment on function headgate.complete_jobs is
    'Hand in the results of (some of) a leased chunk''s jobs, and claim p_claim next chunks in the same transaction.';
