-- Judge reported answers before anything of them is stored: expectations may change the outcome of good answers, and
-- outputs are read from answers.

create or replace function headgate._judge_answers(
    p_chunk headgate.chunks,
    p_operation headgate.operations,
    p_asset_ids bigint[],
    p_payloads text[],
    p_durations_ms integer[],
    p_answers text[],
    p_outcomes text[],
    p_faults text[],
    p_errors text[],
    out outcomes text[],
    out faults text[],
    out errors text[],
    out verdicts text[],
    out outputs jsonb[]
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_values jsonb[];
begin
    outcomes := p_outcomes;
    faults := p_faults;
    errors := p_errors;
    if p_operation.outputs is not null or p_operation.expectations is not null then
        v_values := headgate._answer_values(
            p_operation, p_asset_ids, p_outcomes, p_payloads, p_durations_ms, p_answers
        );
    end if;
    if p_operation.expectations is not null then
        select j.outcomes, j.faults, j.errors, j.verdicts into outcomes, faults, errors, verdicts
        from headgate._judge_expectations(p_operation, v_values, outcomes, faults, errors) as j;
    end if;
    if p_operation.outputs is not null or p_operation.handler is not null then
        select j.outcomes, j.faults, j.errors, j.outputs into outcomes, faults, errors, outputs
        from headgate._judge_outputs(
            p_chunk, p_operation, p_asset_ids, v_values, p_answers, outcomes, faults, errors
        ) as j;
    end if;
end;
$func$;

-- Reported answers as JSON paths see them, {status, duration_ms, headers, body, asset}; null if there was none.
create or replace function headgate._answer_values(
    p_operation headgate.operations,
    p_asset_ids bigint[],
    p_outcomes text[],
    p_payloads text[],
    p_durations_ms integer[],
    p_answers text[]
)
returns jsonb[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select array_agg(
        case
            when u.outcome = 'success' or u.answer is not null then headgate._answer_value(
                u.asset_id, u.answer, u.duration_ms, case
                    when p_operation.expectations is not null or p_operation.outputs::text like '%body%' then u.payload
                end
            )
        end
        order by u.nth
    )
    from unnest(p_asset_ids, p_outcomes, p_payloads, p_durations_ms, p_answers) with ordinality
        as u (asset_id, outcome, payload, duration_ms, answer, nth);
$func$;

create or replace function headgate._answer_value(
    p_asset_id bigint,
    p_answer text,
    p_duration_ms integer,
    p_payload text
)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select jsonb_build_object('status', null, 'duration_ms', p_duration_ms, 'headers', '{}'::jsonb)
        || coalesce(p_answer::jsonb, '{}')
        || jsonb_build_object(
            'body', headgate._body_value(coalesce(p_payload, p_answer::jsonb ->> 'body')),
            'asset', a.attributes || jsonb_build_object(
                'asset_id', a.asset_id, 'code', a.code, 'group_key', a.group_key
            )
        )
    from headgate.assets as a
    where a.asset_id = p_asset_id;
$func$;

-- A body that is not JSON is a text.
create or replace function headgate._body_value(p_payload text)
returns jsonb
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $func$
begin
    return p_payload::jsonb;
exception
    when data_exception or program_limit_exceeded then
        return to_jsonb(p_payload);
end;
$func$;

-- Expectations of good answers: the first that does not hold decides. An expectation that cannot be evaluated is an
-- internal fault, never a silent success.
create or replace function headgate._judge_expectations(
    p_operation headgate.operations,
    p_values jsonb[],
    p_outcomes text[],
    p_faults text[],
    p_errors text[],
    out outcomes text[],
    out faults text[],
    out errors text[],
    out verdicts text[]
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with expected as materialized (
        select
            e.nth,
            (e.item ->> 'predicate')::jsonpath as predicate,
            e.item ->> 'predicate' as text,
            e.item ->> 'verdict' as verdict,
            e.item ->> 'reason' as reason
        from jsonb_array_elements(p_operation.expectations) with ordinality as e (item, nth)
    ),
    judged as materialized (  -- without the values, which would be sorted below
        select
            u.outcome,
            u.fault,
            u.error,
            u.nth,
            case when x.fault is null then x.verdict end as verdict,
            case
                when x.fault is not null then format('expectation %s cannot be evaluated: %s', x.text, x.fault)
                when x.text is not null then coalesce(headgate._filled_in(x.reason, u.value), 'expected ' || x.text)
            end as reason
        from unnest(p_outcomes, p_faults, p_errors, p_values) with ordinality as u (outcome, fault, error, value, nth)
        left join lateral (
            select
                e.text,
                e.verdict,
                e.reason,
                case when m.holds is null then headgate._fault_of(u.value, e.predicate) end as fault
            from expected as e
            cross join lateral (select jsonb_path_match(u.value, e.predicate, '{}', true) as holds offset 0) as m
            where u.outcome = 'success'
                and m.holds is not true
            order by e.nth
            limit 1
        ) as x on true
    )
    select
        array_agg(case
            when j.reason is null or j.verdict = 'degraded' then j.outcome
            else coalesce(j.verdict, 'deferred')
        end order by j.nth),
        array_agg(case
            when j.reason is null or j.verdict = 'degraded' then j.fault
            when j.verdict is null then 'internal'
            else 'item'
        end order by j.nth),
        array_agg(coalesce(j.reason, j.error) order by j.nth),
        array_agg(j.verdict order by j.nth)
    from judged as j;
$func$;

-- Why a predicate cannot be evaluated; null: it compares values that cannot be compared, so it does not hold.
create or replace function headgate._fault_of(
    p_value jsonb,
    p_predicate jsonpath
)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $func$
begin
    perform jsonb_path_match(p_value, p_predicate);
    return null;
exception
    when data_exception then
        return sqlerrm;
end;
$func$;

-- A reason with the {fields} of an answer, such as {body.state}; null if there is none.
create or replace function headgate._filled_in(
    p_reason text,
    p_value jsonb
)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select string_agg(
        coalesce(m.part[1], m.part[3], p_value #>> string_to_array(m.part[2], '.'), 'null'), '' order by m.nth
    )
    from regexp_matches(p_reason, '([^{]+)|[{]([A-Za-z0-9_.-]+)[}]|([{])', 'g') with ordinality as m (part, nth);
$func$;
