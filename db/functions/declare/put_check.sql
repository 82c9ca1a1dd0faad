-- A check of a plan's data, like a dbt test: a query returns the failing rows, a value is computed from them (their
-- count), and warn_if and error_if compare the value. A kind writes the query. The query becomes a function in the
-- plan's schema, check_<name>, so that it runs with the plan's rights, and anybody may call it.

create or replace function headgate.put_check(
    name text,
    kind text default null,
    "on" text default null,
    columns text[] default null,
    accepted text[] default null,
    parent text default null,
    field text default null,
    query text default null,
    fail_calc text default null,
    for_each text default null,
    severity text default null,
    warn_if text default null,
    error_if text default null,
    pipeline text default null,
    hold_for interval default null,
    timeout interval default null,
    keep_rows integer default null,
    description text default null
)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
#variable_conflict use_variable
declare
    v_kind constant text := coalesce(kind, 'query');
    v_query constant text := coalesce(query, headgate._check_query(v_kind, "on", columns, accepted, parent, field));
    v_calc constant text := coalesce(fail_calc, headgate._check_calc(v_kind));
    v_usual constant text := case
        when fail_calc is not null or v_kind = 'freshness' then null when v_kind = 'row_count' then '< 1' else '!= 0'
    end;
    v_function constant text := headgate._open_plan() || '.check_' || name;
begin
    perform headgate._check_reference('check', name, 'pipeline', pipeline);
    if not headgate._find_check_mistakes(
        name, v_kind, "on", columns, accepted, parent, field, query, array[warn_if, error_if]
    ) and v_query is not null then
        perform headgate._write_check(v_function, v_query, v_calc, for_each, coalesce(keep_rows, 10));
    end if;
    return headgate._declare('check', name, jsonb_build_object(
        'pipeline', pipeline,
        'description', description,
        'kind', v_kind,
        'relation', "on",
        'query', coalesce(v_query, ''),
        'fail_calc', v_calc,
        'for_each', for_each,
        'severity', severity,
        'warn_if', coalesce(warn_if, v_usual),
        'error_if', coalesce(error_if, v_usual),
        'hold_for', coalesce(hold_for, case when pipeline is null then interval '0' end),
        'timeout', timeout,
        'keep_rows', keep_rows,
        'function', v_function
    ));
end;
$func$;

comment on function headgate.put_check is
    'Declare a check of data: a kind and a relation, or a query for failing rows. It runs in its pipeline''s runs by '
    'headgate.run_checks, without a pipeline in the maintenance. Returns created, unchanged, or changed and what.';

-- The query for failing rows of a kind; null if an argument is missing.
create or replace function headgate._check_query(
    p_kind text,
    p_relation text,
    p_columns text[],
    p_accepted text[],
    p_parent text,
    p_field text
)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select case p_kind
        when 'row_count' then format('select count(*) as row_count from %s', p_relation)
        when 'not_null' then format('select r.* from %s as r where %s', p_relation, c.any_null)
        when 'unique' then format(
            'select %1$s, count(*) as times from %2$s as r where not (%3$s) group by %1$s having count(*) > 1',
            c.names, p_relation, c.any_null
        )
        when 'accepted_values' then format(
            'select %1$s, count(*) as times from %2$s as r where %1$s::text <> all (%3$L::text[]) group by %1$s',
            c.names, p_relation, p_accepted
        )
        when 'relationships' then format(
            'select r.* from %1$s as r where %2$s is not null '
            'and not exists (select from %3$s as p where p.%4$I = %2$s)', p_relation, c.names, p_parent, p_field
        )
        when 'freshness' then format('select max(%s)::timestamptz as newest from %s as r', c.names, p_relation)
    end
    from (
        select
            string_agg(format('r.%I', u.name), ', ' order by u.nth) as names,
            string_agg(format('r.%I is null', u.name), ' or ' order by u.nth) as any_null
        from unnest(p_columns) with ordinality as u (name, nth)
    ) as c;
$func$;

-- A table without rows is not fresh.
create or replace function headgate._check_calc(p_kind text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select case p_kind
        when 'row_count' then 'max(row_count)'
        when 'freshness' then 'coalesce(extract(epoch from headgate.clock() - max(newest)), ''Infinity'')'
        else 'count(*)'
    end;
$func$;

-- Create the function that runs the query: subject, value, and failing rows.
create or replace function headgate._write_check(
    p_function text,
    p_query text,
    p_calc text,
    p_for_each text,
    p_keep_rows integer
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    select headgate._write_query(
        p_function, 'subject text, value numeric, failing jsonb',
        format(
            $body$
    select coalesce(s.subject, ''), c.value, c.failing
    from (%s
    ) as each
    cross join lateral (
        select string_agg(v.value, ' ' order by v.nth) as subject
        from json_each_text(to_json(each)) with ordinality as v (key, value, nth)
    ) as s
    cross join lateral (
        select
            (%s)::numeric as value,
            jsonb_agg(to_jsonb(f) - 'nth_' order by f.nth_) filter (where f.nth_ <= %s) as failing
        from (
            select q.*, row_number() over () as nth_
            from (%s
            ) as q
        ) as f
    ) as c;
$body$,
            coalesce(rtrim(p_for_each, E'; \n'), 'select'), p_calc, p_keep_rows, rtrim(p_query, E'; \n')
        ),
        'A check, generated from what its plan declares.'
    );
$func$;

-- All mistakes in the declaration.
create or replace function headgate._find_check_mistakes(
    p_name text,
    p_kind text,
    p_relation text,
    p_columns text[],
    p_accepted text[],
    p_parent text,
    p_field text,
    p_query text,
    p_comparisons text[]
)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_plan constant text := headgate._open_plan();
    v_wanted constant text := headgate._check_arguments(p_kind);
    v_mistake record;
    v_found boolean := false;
begin
    for v_mistake in
        select format('plan %s has no schema', v_plan) as fault,
            'it needs a migration, whose schema the check''s function is put in' as hint
        where to_regnamespace(v_plan) is null
        union all
        select
            format('a check of kind %s takes %s', p_kind, v_wanted),
            'name and conditions may be given to all kinds'
        where headgate._given_arguments(p_relation, p_columns, p_accepted, p_parent, p_field, p_query) <> v_wanted
            or p_kind in ('accepted_values', 'relationships', 'freshness') and cardinality(p_columns) <> 1
        union all
        select format('there is no table or view %s', quote_literal(r.name)), 'name it with its schema'
        from (values (p_relation), (p_parent)) as r (name)
        where to_regclass(r.name) is null
            and r.name is not null
        union all
        select
            format('%s has no column %s', c.relation, quote_literal(c.name)),
            headgate._known('its columns', c.name, array(
                select a.attname::text
                from pg_attribute as a
                where a.attrelid = to_regclass(c.relation)
                    and a.attnum > 0
                    and not a.attisdropped
            ))
        from (
            select p_relation as relation, u.name from unnest(p_columns) as u (name)
            union all
            select p_parent, p_field
        ) as c
        where to_regclass(c.relation) is not null
            and c.name is not null
            and not exists (
                select
                from pg_attribute as a
                where a.attrelid = to_regclass(c.relation)
                    and a.attname = c.name
                    and a.attnum > 0
                    and not a.attisdropped
            )
        union all
        select
            format('%s compares with nothing', quote_literal(u.comparison)),
            'compare with a number, or an interval of freshness: ''> 0'', ''< 0.95'', ''> 1 day'''
        from unnest(p_comparisons) as u (comparison)
        where u.comparison is not null
            and headgate._bound_of(u.comparison) is null
    loop
        v_found := true;
        perform headgate._note_mistake(
            'check', p_name, format('check %s: %s', p_name, v_mistake.fault), v_mistake.hint
        );
    end loop;
    return v_found;
end;
$func$;

-- The arguments that a kind takes; null for an unknown kind, which the table's constraint reports.
create or replace function headgate._check_arguments(p_kind text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select case p_kind
        when 'query' then 'query'
        when 'row_count' then 'on'
        when 'not_null' then 'on, columns'
        when 'unique' then 'on, columns'
        when 'accepted_values' then 'on, columns, accepted'
        when 'relationships' then 'on, columns, parent, field'
        when 'freshness' then 'on, columns'
    end;
$func$;

create or replace function headgate._given_arguments(
    p_relation text,
    p_columns text[],
    p_accepted text[],
    p_parent text,
    p_field text,
    p_query text
)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select concat_ws(
        ', ', case when p_relation is not null then 'on' end, case when p_columns <> '{}' then 'columns' end,
        case when p_accepted is not null then 'accepted' end, case when p_parent is not null then 'parent' end,
        case when p_field is not null then 'field' end, case when p_query is not null then 'query' end
    );
$func$;
