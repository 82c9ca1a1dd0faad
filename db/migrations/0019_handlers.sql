-- Operations that compute instead of calling: what their handler reads, and how much memory it may take.

alter table headgate.operations
    add column input_function text,
    add column max_memory bigint not null default 1073741824,
    -- squawk-ignore constraint-missing-not-valid
    add constraint input_has_its_handler check (input_function is null or handler is not null),
    -- squawk-ignore constraint-missing-not-valid
    add constraint max_memory_is_enough check (max_memory >= 67108864);

comment on column headgate.operations.handler is
    'Python that computes instead of calling: an entry point of the group headgate.handlers, or module:function; null: none.';
comment on column headgate.operations.input_function is
    'schema.name of the function that reads what the handler computes from; null: it needs the chunk alone.';
comment on column headgate.operations.max_memory is 'Bytes of memory a handler''s process may take.';
comment on column headgate.operations.timeout is 'How long one call, or a handler over one chunk, may take.';

alter table headgate.chunks add column lost_reason text;

comment on column headgate.chunks.lost_reason is 'Why its last lease was given up for lost; null: it ran out unseen.';

-- These are applied again with more arguments.
do $$
declare
    v_function regprocedure;
begin
    for v_function in
        select p.oid
        from pg_catalog.pg_proc as p
        join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
        where n.nspname = 'headgate'
            and p.proname in ('complete_jobs', '_check_report', '_ingest', '_ingest_set')
    loop
        execute format('drop function %s', v_function);
    end loop;
end;
$$;
