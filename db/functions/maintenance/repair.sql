-- Repairs what headgate.examine calls fixable and what is safe during normal operation. It locks in the core's order,
-- and is recorded like every operator's action.

create or replace function headgate.repair()
returns table (subject text, done text)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_fix record;
    v_done jsonb := '{}';
begin
    perform headgate._lock(format('planner %s', p.provider_id))
    from (select p.provider_id from headgate.providers as p order by p.provider_id) as p;
    for v_fix in
        select 'history' as subject, headgate._repair_months() as count, '%s monthly partitions created' as says
        union all
        select 'steps', headgate._repair_steps(v_now), '%s steps ended'
        union all
        select 'state', (headgate._repair_holds(null, null)).count, '%s held asset needs released'
        union all
        select 'queues', headgate._repair_queues(v_now), '%s queues created, messages archived or sent again'
        union all
        select 'chunks', headgate._repair_chunks(v_now), '%s chunks sent, ended, or offered again'
        union all
        select 'stages', headgate._repair_stages(), '%s stages made again or emptied'
        union all
        select 'changes', headgate._repair_changes(), '%s logs of changes put right'
        union all
        select 'ledger', headgate._repair_ledger(v_now), '%s quota windows corrected'
        union all
        select 'sessions', headgate._end_sessions(), '%s sessions ended'
    loop
        if v_fix.count > 0 then
            subject := v_fix.subject;
            done := format(v_fix.says, v_fix.count);
            v_done := v_done || jsonb_build_object(v_fix.subject, v_fix.count);
            return next;
        end if;
    end loop;
    perform headgate._record_action('repair', '{}', v_done);
end;
$func$;

comment on function headgate.repair() is
    'Repair what headgate.examine calls fixable in queues, chunks, state, steps, ledger, partitions and sessions; '
    'returns what was done.';

-- Missing queues, orphan messages, and chunks whose message is gone.
create or replace function headgate._repair_queues(p_now timestamptz)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_queue text;
    v_orphans bigint[];
    v_repaired integer := 0;
    v_sent integer;
begin
    for v_queue in select q.queue from headgate._queues() as q order by q.queue loop
        if to_regclass(format('pgmq.%I', 'q_' || v_queue)) is null then
            perform pgmq.create(v_queue);
            v_repaired := v_repaired + 1;
        end if;
        v_orphans := headgate._orphan_messages(v_queue);
        perform pgmq.archive(v_queue, u.msg_id) from unnest(v_orphans) as u (msg_id);
        v_repaired := v_repaired + cardinality(v_orphans);
    end loop;
    perform headgate._tune_queues();
    loop
        v_sent := headgate._resend_lost(1000);
        v_repaired := v_repaired + v_sent;
        exit when v_sent = 0;
    end loop;

    return v_repaired;
end;
$func$;

-- Send what a running step lacks, end what an ended step left, and make the message of an expired lease visible at
-- once.
create or replace function headgate._repair_chunks(p_now timestamptz)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_unsent bigint[];
    v_left bigint[];
    v_expired headgate.chunks[];
begin
    v_left := array(
        select c.chunk_id
        from headgate.chunks as c
        join headgate._left_over_chunks() as l using (chunk_id)
        order by c.chunk_id
        for update of c skip locked
    );
    v_unsent := array(
        select c.chunk_id
        from headgate.chunks as c
        join headgate._unsent_chunks() as u using (chunk_id)
        order by c.chunk_id
        for update of c skip locked
    );
    v_expired := array(
        select c
        from headgate.chunks as c
        join headgate._expired_leases() as x using (chunk_id)
        where c.state = 'leased'
            and c.leased_until < clock_timestamp()
        order by c.chunk_id
        for update of c skip locked
    );
    perform headgate._put_back(c.queue, c.msg_id) from unnest(v_expired) as c;
    if v_expired <> '{}' then
        perform pg_notify('headgate_jobs', '');
    end if;
    perform headgate._end_chunks(v_left, 'cancelled', 'its step had ended', p_now);
    perform headgate._send_chunks(v_unsent, p_now);
    return cardinality(v_left) + cardinality(v_unsent) + cardinality(v_expired);
end;
$func$;

-- Pairs (of some operations) whose chunks no longer exist. They are released only if they are unchanged after being
-- locked: a runner may have parked one in a new chunk meanwhile.
create or replace function headgate._repair_holds(
    p_operations text[],
    p_limit integer,
    out count integer,
    out pairs headgate.asset_processing_state[]
)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    with orphan as materialized (
        select h.operation_id, h.asset_id, h.chunk_id
        from headgate._orphan_holds() as h
        join headgate.operations as o using (operation_id)
        where p_operations is null or o.name = any (p_operations)
        order by h.operation_id, h.asset_id
        limit p_limit
    ),
    held as materialized (
        select s.operation_id, s.asset_id
        from headgate.asset_processing_state as s
        join orphan as o
            on o.operation_id = s.operation_id
            and o.asset_id = s.asset_id
            and o.chunk_id = s.chunk_id
        order by s.operation_id, s.asset_id
        for update of s
    ),
    freed as (
        update headgate.asset_processing_state as s
        set chunk_id = null
        from held as h
        where s.operation_id = h.operation_id
            and s.asset_id = h.asset_id
        returning s
    )
    select count(*), coalesce(array_agg(f.s), '{}') into count, pairs from freed as f;
end;
$func$;

-- Lost jobs end as deferred by an internal fault: they are due again.
create or replace function headgate._repair_steps(p_now timestamptz)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_stuck record;
    v_freed record;
    v_step headgate.process_steps;
    v_repaired integer := 0;
begin
    for v_stuck in select s.* from headgate._stuck_steps() as s order by s.execution_id, s.step loop
        select m.* into v_freed from headgate._repair_holds(v_stuck.operations, v_stuck.planned - v_stuck.ended) as m;
        with ended as (
            insert into headgate.asset_processing_details (
                execution_id, asset_id, operation_id, round, step, status, reason, ended_at
            )
            select
                v_stuck.execution_id, u.asset_id, u.operation_id, v_stuck.round, v_stuck.step, 'deferred',
                'internal: the job was lost; headgate.repair ended it', p_now
            from unnest(v_freed.pairs) as u
            returning operation_id
        )
        insert into headgate.job_counts (operation_id, status, jobs)
        select e.operation_id, 'deferred', count(*)
        from ended as e
        group by e.operation_id;

        perform from headgate.process_executions as e where e.execution_id = v_stuck.execution_id for update;
        perform headgate._hold_step(v_stuck.execution_id, v_stuck.step);
        update headgate.process_steps as s
        set deferred = s.deferred + s.planned - (s.succeeded + s.failed + s.deferred + s.skipped),
            deferred_by_fault = s.deferred_by_fault + s.planned - (s.succeeded + s.failed + s.deferred + s.skipped),
            deferred_by_internal_fault = s.deferred_by_internal_fault
                + s.planned - (s.succeeded + s.failed + s.deferred + s.skipped)
        where s.execution_id = v_stuck.execution_id
            and s.step = v_stuck.step
            and s.status = 'running'
            and not exists (select from headgate.chunks as c where c.execution_id = s.execution_id and c.step = s.step)
        returning s.* into v_step;
        if found then
            perform headgate._close_step(v_step, p_now);
            v_repaired := v_repaired + 1;
        end if;
    end loop;

    return v_repaired;
end;
$func$;

-- Never more than usable, and spent never decreases.
create or replace function headgate._repair_ledger(p_now timestamptz)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_window record;
    v_ledger record;
    v_repaired integer := 0;
begin
    for v_window in
        select w.provider_id, w.opened_at
        from headgate.quota_windows as w
        where w.opened_at <= p_now and w.closes_at > p_now
        order by w.provider_id, w.opened_at
        for update
    loop
        select b.* into v_ledger
        from headgate._ledger(p_now) as b
        where b.provider_id = v_window.provider_id
            and b.opened_at = v_window.opened_at;
        update headgate.quota_windows as w
        set reserved = least(w.usable, v_ledger.promised),
            spent = greatest(w.spent, least(v_ledger.at_least, w.usable - least(w.usable, v_ledger.promised)))
        where w.provider_id = v_window.provider_id
            and w.opened_at = v_window.opened_at
            and (w.reserved <> v_ledger.promised or w.spent < v_ledger.at_least)
            and greatest(w.spent, least(v_ledger.at_least, w.usable - least(w.usable, v_ledger.promised)))
                + least(w.usable, v_ledger.promised) <= w.usable;
        v_repaired := v_repaired + case when found then 1 else 0 end;
    end loop;

    return v_repaired;
end;
$func$;

create or replace function headgate._repair_months()
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_before integer;
begin
    select count(*) into v_before
    from pg_inherits as i where i.inhparent = 'headgate.asset_processing_details'::regclass;
    perform headgate._open_months(3);
    return (
        select count(*) from pg_inherits as i where i.inhparent = 'headgate.asset_processing_details'::regclass
    ) - v_before;
end;
$func$;

-- Recreate stages that do not fit, and empty stages that no lease will merge; return how many.
create or replace function headgate._repair_stages()
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_repaired constant integer := (select count(*) from headgate._examine_stages());
begin
    perform headgate._open_stage(u.operation, u.stage, u.ingest_function) from headgate._unfit_stages() as u;
    perform headgate._clear_stages();
    return v_repaired;
end;
$func$;

-- Log changes again where that has ended, and make what was logged on another server ours; return how many logs.
create or replace function headgate._repair_changes()
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_repaired constant integer := (select count(*) from headgate._examine_changes() as x where x.is_fixable);
begin
    perform case
        when c.operation is null then headgate._open_log(o.name, o.changes_of)
        when f.is_lost then headgate._open_slot(o.name, o.changes_of)
    end
    from headgate._examine_changes() as x
    join headgate.operations as o on x.subject = 'changes of ' || o.name
    left join headgate.change_slots as c on c.operation = o.name
    left join lateral headgate._slot_fault(o.name, o.changes_of) as f on true
    where x.is_fixable;
    perform headgate.own_changes();
    return v_repaired;
end;
$func$;
