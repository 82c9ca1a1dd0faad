-- Look-ups by name. Each says clearly what it does not know and what there is instead.

create or replace function headgate._names(p_names text[])
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(
        string_agg(n.name, ', ' order by n.name) || case when cardinality(p_names) > 20 then ', ...' else '' end,
        'none'
    )
    from (select distinct name from unnest(p_names) as u (name) order by name limit 20) as n;
$func$;

-- The hint for an unknown name: what was probably meant, then the names that are known.
create or replace function headgate._known(
    p_what text,
    p_name text,
    p_names text[]
)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select headgate._meant(p_name, p_names) || p_what || ': ' || headgate._names(p_names);
$func$;

create or replace function headgate._meant(
    p_name text,
    p_names text[]
)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce('did you mean ' || string_agg(n.name, ' or ' order by n.nth) || '? ', '')
    from unnest(headgate._near(p_name, p_names)) with ordinality as n (name, nth);
$func$;

-- The names that share enough letters and pairs of them with a misspelt one, and nearly as many as the closest, which is first.
create or replace function headgate._near(
    p_name text,
    p_names text[]
)
returns text[]
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    with likeness as (
        select n.name, 2.0 * l.shared / (l.pieces + cardinality(m.pieces)) as share
        from (select distinct u.name from unnest(p_names) as u (name)) as n
        cross join (select headgate._name_pieces(p_name) as pieces) as m
        cross join lateral (
            select count(*) as pieces, count(*) filter (where g.piece = any (m.pieces)) as shared
            from unnest(headgate._name_pieces(n.name)) as g (piece)
        ) as l
    )
    select array(
        select k.name
        from likeness as k
        where k.share >= greatest(0.5, 0.8 * (select max(b.share) from likeness as b))
        order by k.share desc, k.name
        limit 3
    );
$func$;

-- Its letters and pairs of letters, each once; a pair also spans the beginning and the end.
create or replace function headgate._name_pieces(p_text text)
returns text[]
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select array(
        select distinct v.piece
        from generate_series(1, least(100, length(p_text)) + 1) as i (nth)
        cross join lateral (
            values (substr(lower(p_text), i.nth, 1)), (substr(' ' || lower(p_text) || ' ', i.nth, 2))
        ) as v (piece)
        where v.piece <> ''
    );
$func$;

create or replace function headgate._pipeline(p_pipeline text)
returns headgate.pipelines
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_pipeline headgate.pipelines;
begin
    select * into v_pipeline from headgate.pipelines as p where p.name = p_pipeline;
    if not found then
        perform headgate._raise(
            'HG001',
            format('unknown pipeline: %s', coalesce(quote_literal(p_pipeline), 'null')),
            headgate._known('known pipelines', p_pipeline, array(
                select p.name from headgate.pipelines as p where not p.is_retired
            ))
        );
    end if;

    return v_pipeline;
end;
$func$;

create or replace function headgate._execution(
    p_pipeline text,
    p_run_id text
)
returns headgate.process_executions
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_pipeline_id constant bigint := (headgate._pipeline(p_pipeline)).pipeline_id;
    v_execution headgate.process_executions;
begin
    select * into v_execution
    from headgate.process_executions as e
    where e.pipeline_id = v_pipeline_id
        and e.run_id = p_run_id;
    if not found then
        perform headgate._raise(
            'HG002',
            format('pipeline %s has no execution %s', p_pipeline, coalesce(quote_literal(p_run_id), 'null')),
            headgate._meant(p_run_id, array(
                select e.run_id
                from headgate.process_executions as e
                where e.pipeline_id = v_pipeline_id
                order by e.started_at desc
                limit 100
            )) || 'start it with headgate.start_execution, or look into headgate.v_recent_executions'
        );
    end if;

    return v_execution;
end;
$func$;

create or replace function headgate._step(
    p_execution headgate.process_executions,
    p_step text
)
returns headgate.process_steps
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_step headgate.process_steps;
begin
    select * into v_step
    from headgate.process_steps as s
    where s.execution_id = p_execution.execution_id
        and s.step = p_step;
    if not found then
        perform headgate._raise(
            'HG003',
            format('unknown step: %s', coalesce(quote_literal(p_step), 'null')),
            headgate._known('the execution''s steps', p_step, array(
                select s.step from headgate.process_steps as s where s.execution_id = p_execution.execution_id
            ))
        );
    end if;

    return v_step;
end;
$func$;

create or replace function headgate._operation(p_operation text)
returns headgate.operations
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_operation headgate.operations;
begin
    select * into v_operation from headgate.operations as o where o.name = p_operation;
    if not found then
        perform headgate._raise(
            'HG004',
            format('unknown operation: %s', coalesce(quote_literal(p_operation), 'null')),
            headgate._known('known operations', p_operation, array(
                select o.name from headgate.operations as o where not o.is_retired
            ))
        );
    end if;

    return v_operation;
end;
$func$;

create or replace function headgate._provider(p_provider text)
returns headgate.providers
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_provider headgate.providers;
begin
    select * into v_provider from headgate.providers as p where p.name = p_provider;
    if not found then
        perform headgate._raise(
            'HG005',
            format('unknown provider: %s', coalesce(quote_literal(p_provider), 'null')),
            headgate._known('known providers', p_provider, array(
                select p.name from headgate.providers as p where not p.is_retired
            ))
        );
    end if;

    return v_provider;
end;
$func$;
