-- The statement of each job and its parameters, a JSON list of texts. A value is never part of the text: {field}
-- becomes a parameter $1, $2 and so on, whose type the database infers, and {field!} a quoted name. An optional field
-- without a value is null; an optional time is -infinity, so that a first run reads everything. {new.t} is a condition
-- on a row of t. With a stage the token goes along, which marks the rows that this lease has copied.

create or replace function headgate._statements(
    p_chunk headgate.chunks,
    p_operation headgate.operations,
    p_params jsonb,
    out assets text[],
    out statements text[],
    out parameters text[],
    out refused jsonb
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with piece as materialized (
        select
            m.nth,
            coalesce(m.found[1], m.found[4]) as literal,
            m.found[2] as field,
            m.found[3] as mark,
            count(m.found[2]) filter (where m.found[3] <> '!') over (order by m.nth) as place
        from regexp_matches(
            p_operation.statement, '([^{]+)|[{]([a-z_]+(?:[.][A-Za-z0-9_-]+)+)([?!]?)[}]|([{])', 'g'
        ) with ordinality as m (found, nth)
    ),
    job as materialized (
        select u.nth, a as asset, s as state
        from unnest(p_chunk.asset_ids) with ordinality as u (asset_id, nth)
        join headgate.assets as a on a.asset_id = u.asset_id
        join headgate.asset_processing_state as s
            on s.operation_id = p_chunk.operation_id and s.asset_id = u.asset_id
    ),
    request as (
        select
            j.nth,
            string_agg(
                case
                    when p.field is null then p.literal
                    when p.mark = '!' then '"' || replace(v.value, '"', '""') || '"'
                    when p.field like 'new.%' then headgate._is_new(p.field, '$' || p.place)
                    else '$' || p.place
                end,
                '' order by p.nth
            ) as statement,
            coalesce(
                jsonb_agg(v.value order by p.nth) filter (where p.field is not null and p.mark <> '!'), '[]'
            ) as parameters,
            min(p.field) filter (where p.mark <> '?' and v.value is null) as missing,
            min(p.field) filter (
                where p.mark = '!' and (v.value = '' or octet_length(v.value) > 63 or v.value ~ '[$][0-9]')
            ) as unfit
        from job as j
        cross join piece as p
        cross join lateral (
            select case
                when p.field is not null then headgate._parameter(p.field, p.mark, j.asset, j.state, p_params)
            end as value
        ) as v
        group by j.nth
    ),
    judged as (
        select
            j.nth,
            (j.asset).asset_id as asset_id,
            (j.asset).code as code,
            r.statement,
            r.parameters,
            case
                when r.missing is not null then headgate._field_error(r.missing, (j.asset).code)
                when r.unfit is not null
                    then format('the value of {%s!} for %s cannot be a name', r.unfit, (j.asset).code)
            end as request_error
        from job as j
        join request as r using (nth)
    )
    select
        array_agg(j.code order by j.nth),
        array_agg(case when j.request_error is null then j.statement end order by j.nth),
        array_agg(
            case
                when p_operation.stage is null then j.parameters::text
                else jsonb_build_object(
                    'parameters', j.parameters,
                    'token', jsonb_build_array(p_chunk.chunk_id, p_chunk.lease_no, j.asset_id)
                )::text
            end
            order by j.nth
        ),
        nullif(jsonb_strip_nulls(jsonb_object_agg(j.asset_id, j.request_error)), '{}')
    from judged as j;
$func$;

-- A field's value for a database: times to the microsecond.
create or replace function headgate._parameter(
    p_field text,
    p_mark text,
    p_asset headgate.assets,
    p_state headgate.asset_processing_state,
    p_params jsonb
)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when p_field in ('state.watermark', 'state.since', 'state.succeeded_at') then coalesce(
            to_char(
                case p_field
                    when 'state.watermark' then p_state.watermark
                    when 'state.since' then headgate._since(p_asset, p_state)
                    else p_state.succeeded_at
                end at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'
            ),
            case when p_mark = '?' then '-infinity' end
        )
        when p_field like 'new.%' then coalesce(p_state.source_snapshot, '1:1:')::text
        else headgate._field(p_field, p_asset, p_state, p_params)
    end;
$func$;

-- Whether a row was committed after the snapshot of the last read: by its column of type xid8, or by its xmin. Under
-- xmin a subtransaction has a number of its own, which no snapshot lists: whatever is not older than the oldest
-- transaction that was open then counts as new. xmin has 32 bits; it is counted back from the next transaction, so a
-- row is at most taken for newer than it is. A snapshot beyond that transaction is of another database: all is new.
create or replace function headgate._is_new(
    p_field text,
    p_parameter text
)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when f.name like '%.%.%' then format(
            '(%1$s >= (select pg_snapshot_xmin(s) from %2$s) '
            'and not pg_visible_in_snapshot(%1$s, (select s from %2$s)))',
            quote_ident(split_part(f.name, '.', 2)) || '.' || quote_ident(split_part(f.name, '.', 3)), f.seen
        )
        else format(
            '(((select n from %2$s) - %1$s.xmin::text::bigint) & 4294967295 '
            '<= (select n - pg_snapshot_xmin(s)::text::bigint from %2$s))',
            quote_ident(split_part(f.name, '.', 2)), f.seen
        )
    end
    from (
        select
            p_field as name,
            format(
                '(select n::text::bigint as n, case when n < pg_snapshot_xmin(p) then ''1:1:'' else p end as s from '
                '(select pg_snapshot_xmax(pg_current_snapshot()) as n, %s::pg_snapshot as p) as p) as s', p_parameter
            ) as seen
    ) as f;
$func$;
