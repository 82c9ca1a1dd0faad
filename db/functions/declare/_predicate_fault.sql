-- Why a text is not a predicate. Over an empty document a predicate is false or unknown; any other path finds nothing.

create or replace function headgate._predicate_fault(p_predicate text)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $func$
begin
    perform jsonb_path_match('{}', p_predicate::jsonpath);
    return case when p_predicate is null then 'no predicate' end;
exception
    when syntax_error then
        return 'not a jsonpath';
    when singleton_sql_json_item_required then
        return 'no predicate';
end;
$func$;
