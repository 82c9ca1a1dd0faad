-- An operation has a breaker of its own: one broken endpoint closes itself, not its provider.

create table headgate.operation_gates (
    operation_id bigint not null references headgate.operations,
    failures integer not null default 0,
    opened integer not null default 0,
    closed_until timestamptz,
    closed_reason text,
    probe_chunk_id bigint,
    counted_since timestamptz,
    counted_faults integer not null default 0,
    counted_answers integer not null default 0,
    constraint operation_gates_pkey primary key (operation_id),
    constraint gate_counts_are_not_negative check (least(failures, opened, counted_faults, counted_answers) >= 0)
) with (fillfactor = 50);

comment on table headgate.operation_gates is
    'How the breaker of a call operation stands, by the thresholds of its provider; no row: it never had a fault.';
comment on column headgate.operation_gates.operation_id is 'The operation whose calls are counted.';
comment on column headgate.operation_gates.failures is 'Consecutive failures of its calls since their last answer.';
comment on column headgate.operation_gates.opened is 'Times its breaker has opened in a row; doubles the cool-down.';
comment on column headgate.operation_gates.closed_until is 'It is not called before; null: open. Once it has passed after a breaker, one probe goes first.';
comment on column headgate.operation_gates.closed_reason is 'Why it is closed.';
comment on column headgate.operation_gates.probe_chunk_id is 'The chunk that probes its half-open breaker.';
comment on column headgate.operation_gates.counted_since is
    'The fault from which its share is counted, for a minute; null: there was none since the breaker last moved.';
comment on column headgate.operation_gates.counted_faults is 'Faults counted since then.';
comment on column headgate.operation_gates.counted_answers is 'Answers counted since then.';

comment on column headgate.provider_gates.closed_until is
    'Nothing is asked of the provider before; null: open. Once it has passed after a breaker, one probe goes first. Null while opened: only one operation has failed, and another one probes.';

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
            and p.proname in ('_closing', '_closed_providers', '_note_answers', '_pass_gate', '_tokens_left', '_set_gate', '_is_probe_out')
    loop
        execute format('drop function %s', v_function);
    end loop;
end;
$$;
