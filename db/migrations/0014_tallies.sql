-- Fates are counted once, and what was judged is what is written: job_end said the same again.

create type headgate.job_tally as (
    succeeded integer,
    failed integer,
    deferred integer,
    deferred_by_fault integer,
    skipped integer,
    cancelled integer,
    parked integer,
    units integer,
    refund integer
);

comment on type headgate.job_tally is 'How many jobs met which fate, what the ended ones cost, and what is given back.';

-- These are applied again with other arguments or another result.
do $$
declare
    v_function regprocedure;
begin
    for v_function in
        select p.oid
        from pg_catalog.pg_proc as p
        join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
        where n.nspname = 'headgate'
            and p.proname in ('_judge', '_apply_fates', '_end_jobs', '_settle_state', '_wake_dependents', '_count_jobs')
    loop
        execute format('drop function %s', v_function);
    end loop;
end;
$$;

-- No client has seen it.
-- squawk-ignore ban-drop-type
drop type headgate.job_end;
