-- A figure of a plan, for Prometheus: a query gives its samples. The query becomes a function in the plan's schema,
-- metric_<name>, so that it runs with the plan's rights.

create or replace function headgate.put_metric(
    name text,
    type text,
    help text,
    query text,
    timeout interval default null
)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
#variable_conflict use_variable
declare
    v_function constant text := headgate._open_plan() || '.metric_' || name;
begin
    if to_regnamespace(headgate._open_plan()) is null then
        perform headgate._note_mistake(
            'metric', name, format('metric %s: plan %s has no schema', name, headgate._open_plan()),
            'it needs a migration, whose schema the metric''s function is put in'
        );
    elsif name <> '' and query <> '' then
        perform headgate._write_metric(v_function, query);
    end if;
    return headgate._declare('metric', name, jsonb_build_object(
        'type', type, 'help', help, 'query', query, 'timeout', timeout, 'function', v_function
    ));
end;
$func$;

comment on function headgate.put_metric is
    'Declare a metric: a counter or a gauge, and a query for its samples: the column value, and a column for each '
    'label. Its samples are in headgate.v_metrics. Returns created, unchanged, or changed and what.';

-- A label without a value is left out, and so is a sample without one.
create or replace function headgate._write_metric(
    p_function text,
    p_query text
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    select headgate._write_query(
        p_function, 'labels jsonb, value double precision',
        format(
            $body$
    select l.labels, q.value::double precision
    from (%s
    ) as q
    cross join lateral (
        select coalesce(jsonb_object_agg(c.key, c.value), '{}') as labels
        from jsonb_each_text(to_jsonb(q) - 'value') as c (key, value)
        where c.value is not null
    ) as l
    where q.value is not null;
$body$,
            rtrim(p_query, E'; \n')
        ),
        'A metric, generated from what its plan declares.'
    );
$func$;
