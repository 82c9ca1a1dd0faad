-- Look up a group key given by a user.

create or replace function headgate.find_group(p_group text)
returns text
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_group text;
begin
    select a.group_key into v_group from headgate.assets as a where a.group_key = p_group limit 1;
    if not found then
        perform headgate._raise(
            'HG006',
            format('unknown group: %s', coalesce(quote_literal(p_group), 'null')),
            headgate._known('known groups', p_group, array(select distinct a.group_key from headgate.assets as a))
        );
    end if;

    return v_group;
end;
$func$;

comment on function headgate.find_group(text) is
    'The group with this key; an unknown key is an error that lists the known ones.';
