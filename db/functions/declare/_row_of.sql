-- Settings of the existing row; null if there is none.
create or replace function headgate._row_of(
    p_kind text,
    p_name text
)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select headgate._as_settings(p_kind, f.columns)
    from (
        select to_jsonb(p) || jsonb_build_object('publication_lags', coalesce(
            (
                select jsonb_object_agg(l.calendar, l.lag)
                from headgate.publication_lags as l
                where l.provider_id = p.provider_id
            ),
            '{}'
        )) as columns
        from headgate.providers as p
        where p_kind = 'provider'
            and p.name = p_name
        union all
        select to_jsonb(p)
        from headgate.pools as p
        where p_kind = 'pool'
            and p.name = p_name
        union all
        select to_jsonb(s)
        from headgate.stores as s
        where p_kind = 'store'
            and s.name = p_name
        union all
        select to_jsonb(c)
        from headgate.checks as c
        where p_kind = 'check'
            and c.name = p_name
        union all
        select to_jsonb(m)
        from headgate.metrics as m
        where p_kind = 'metric'
            and m.name = p_name
        union all
        select to_jsonb(r)
        from headgate.response_rules as r
        join headgate.providers as p using (provider_id)
        where p_kind = 'rule'
            and p.name = split_part(p_name, '/', 1)
            and r.position::text = split_part(p_name, '/', 2)
        union all
        select to_jsonb(o) || jsonb_build_object(
            'provider', p.name, 'follows', f.name, 'bulk_call_of', c.name, 'inputs', to_jsonb(array(
                select i.name
                from headgate.operation_inputs as n
                join headgate.operations as i on i.operation_id = n.input_operation_id
                where n.operation_id = o.operation_id
                order by i.name
            ))
        )
        from headgate.operations as o
        join headgate.providers as p using (provider_id)
        left join headgate.operations as f on f.operation_id = o.follows_operation_id
        left join headgate.operations as c on c.operation_id = o.bulk_call_of_operation_id
        where p_kind = 'operation'
            and o.name = p_name
        union all
        select to_jsonb(p)
        from headgate.pipelines as p
        where p_kind = 'pipeline'
            and p.name = p_name
        union all
        select to_jsonb(s)
        from headgate.pipeline_steps as s
        join headgate.pipelines as p using (pipeline_id)
        where p_kind = 'step'
            and p.name = split_part(p_name, '/', 1)
            and s.step = split_part(p_name, '/', 2)
        union all
        select to_jsonb(m)
        from headgate.pipeline_parameters as m
        join headgate.pipelines as p using (pipeline_id)
        where p_kind = 'parameter'
            and p.name = split_part(p_name, '/', 1)
            and m.name = split_part(p_name, '/', 2)
        union all
        select to_jsonb(c)
        from headgate.channels as c
        where p_kind = 'channel'
            and c.name = p_name
        union all
        select to_jsonb(r)
        from headgate.routes as r
        where p_kind = 'route'
            and r.name = p_name
    ) as f;
$func$;
