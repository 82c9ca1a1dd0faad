-- The steps whose outputs an operation's templates name; most name none, which costs a search in its texts.

create or replace function headgate._named_steps(
    p_operation headgate.operations,
    p_provider headgate.providers
)
returns text[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
begin
    if not p_operation.is_call and p_operation.artifact_name is null
        or strpos(
            concat(
                p_operation.path, p_operation.statement, p_operation.query, p_operation.body, p_operation.headers,
                p_operation.artifact_name,
                p_provider.headers
            ),
            '{steps.'
        ) = 0
    then
        return '{}';
    end if;
    return array(
        select distinct split_part(f.field, '.', 2)
        from headgate._template_fields(p_operation) as f (field)
        where f.field like 'steps.%'
    );
end;
$func$;
