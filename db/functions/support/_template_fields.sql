-- Every {field} in an operation's templates and its provider's address and headers, without the mark ? or !.

create or replace function headgate._template_fields(p_operation headgate.operations)
returns setof text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select distinct m.field[1]
    from headgate.providers as p
    cross join regexp_matches(
        concat_ws(
            ' ', p_operation.path, p_operation.statement, p_operation.artifact_name, p_operation.query::text,
            p_operation.body::text,
            (p.headers || p_operation.headers)::text, case when p_operation.path is not null then p.base_url end
        ),
        '[{]([A-Za-z_][A-Za-z0-9_.-]*)[?!]?[}]', 'g'
    ) as m (field)
    where p.provider_id = p_operation.provider_id;
$func$;
