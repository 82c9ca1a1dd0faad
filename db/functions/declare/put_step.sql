-- A step of a pipeline: a stored function, operations over the groups that it covers, or one call, which makes an
-- operation of its own. Steps come in the order of the file.

create or replace function headgate.put_step(
    pipeline text,
    step text,
    operations text[] default null,
    function text default null,
    depends_on text[] default null,
    trigger_rule text default null,
    group_keys text[] default null,
    max_failed_share real default null,
    may_fail boolean default null,
    condition text default null,
    retries integer default null,
    retry_delay interval default null,
    retry_backoff real default null,
    timeout interval default null,
    request text default null,
    provider text default null,
    max_waves integer default null,
    cache interval default null,
    revalidate boolean default null
)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
#variable_conflict use_variable
declare
    v_name constant text := format('%s/%s', pipeline, step);
    v_operations text[] := operations;
begin
    perform headgate._check_reference('step', v_name, 'pipeline', pipeline);
    if num_nonnulls(request, provider, cache, revalidate) > 0 then
        v_operations := headgate._put_call(v_name, operations, function, request, provider, cache, revalidate);
    end if;
    perform headgate._check_reference('step', v_name, 'operation', o.name) from unnest(v_operations) as o (name);
    perform headgate._check_dependency(pipeline, step, d.step) from unnest(depends_on) as d (step);
    return headgate._declare('step', v_name, jsonb_build_object(
        'position', headgate._next_part('step', pipeline),
        'kind', case when function is null then 'fan_out' else 'function' end,
        'operations', v_operations,
        'function', function,
        'depends_on', depends_on,
        'trigger_rule', trigger_rule,
        'group_keys', group_keys,
        'max_failed_share', max_failed_share,
        'may_fail', may_fail,
        'condition', headgate._as_condition(v_name, condition),
        'retries', retries,
        'retry_delay', retry_delay,
        'retry_backoff', retry_backoff,
        'timeout', timeout,
        'max_waves', max_waves
    ));
end;
$func$;

comment on function headgate.put_step is
    'Declare a step: a function, operations, or one request to a provider, after others. Returns created, unchanged, '
    'or changed and what.';

-- The operation of a step of one call, <pipeline>_<step>: due in every run, with one asset.
create or replace function headgate._put_call(
    p_step text,
    p_operations text[],
    p_function text,
    p_request text,
    p_provider text,
    p_cache interval,
    p_revalidate boolean
)
returns text[]
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_operation constant text := replace(p_step, '/', '_');
begin
    if p_request is null or p_provider is null or p_operations is not null or p_function is not null then
        perform headgate._note_mistake(
            'step', p_step,
            format('%s: a step of one call has a request and a provider, and nothing else to do',
                headgate._object('step', p_step)),
            'give request and provider, or operations, or a function'
        );
        return p_operations;
    end if;
    perform headgate.put_operation(
        v_operation, due => 'run', provider => p_provider, request => p_request, cache => p_cache,
        revalidate => p_revalidate
    );
    return array[v_operation];
end;
$func$;

-- A step comes after those it depends on.
create or replace function headgate._check_dependency(
    p_pipeline text,
    p_step text,
    p_depends_on text
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_name constant text := format('%s/%s', p_pipeline, p_step);
    v_before constant text[] := array(
        select split_part(d.name, '/', 2)
        from headgate.declarations as d
        where d.kind = 'step'
            and d.is_declared
            and split_part(d.name, '/', 1) = p_pipeline
            and split_part(d.name, '/', 2) <> p_step
    );
begin
    if headgate._is_mistaken('step', format('%s/%s', p_pipeline, p_depends_on)) then
        perform headgate._note_follow_up('step', v_name);
    elsif p_depends_on <> all (v_before) then
        perform headgate._note_mistake(
            'step', v_name,
            format('%s: depends on unknown step %s', headgate._object('step', v_name), quote_literal(p_depends_on)),
            headgate._known(
                'the steps before it', p_depends_on, v_before || headgate._mistaken_names('step', p_pipeline)
            )
        );
    end if;
end;
$func$;

-- The condition as PostgreSQL prints it, so that a condition that is only written differently is unchanged.
create or replace function headgate._as_condition(
    p_name text,
    p_condition text
)
returns jsonpath
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_fault constant text := headgate._predicate_fault(p_condition);
begin
    if v_fault is not null and p_condition is not null then
        perform headgate._note_mistake(
            'step', p_name,
            format('%s: its condition is %s: %s', headgate._object('step', p_name), v_fault, p_condition),
            'a condition is a jsonpath predicate over the run document, as $.steps.<step>.status == "succeeded"'
        );
        return null;
    end if;
    return p_condition::jsonpath;
end;
$func$;
