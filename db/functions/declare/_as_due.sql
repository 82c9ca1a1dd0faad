-- Parse a due rule: once, run, session, every 1 day, after a, b, or function schema.name.

create or replace function headgate._as_due(
    p_operation text,
    p_due text
)
returns jsonb
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_words constant text[] := regexp_match(btrim(p_due), '^(\w+)(?:\s+(.+))?$');
    v_rule constant text := v_words[1];
    v_rest constant text := v_words[2];
    v_inputs text[];
begin
    if v_rule in ('once', 'run', 'session') and v_rest is null then
        return jsonb_build_object('due_rule', v_rule);
    elsif v_rule = 'every' and v_rest is not null then
        return jsonb_build_object('due_rule', v_rule, 'due_every', v_rest::interval);
    elsif v_rule = 'function' and v_rest ~ '^\w+[.]\w+$' then
        return jsonb_build_object('due_rule', v_rule, 'due_function', v_rest);
    elsif v_rule = 'after' and v_rest is not null then
        v_inputs := array(
            select distinct i.name from regexp_split_to_table(v_rest, '\s*,\s*') as i (name) order by i.name
        );
        perform headgate._check_reference('operation', p_operation, 'operation', i.name)
        from unnest(v_inputs) as i (name);
        return jsonb_build_object('due_rule', v_rule, 'inputs', v_inputs);
    end if;
    raise exception using errcode = '22007';
exception
    when data_exception then
        perform headgate._note_mistake(
            'operation', p_operation,
            format('operation %s: due cannot be %s', p_operation, coalesce(quote_literal(p_due), 'null')),
            headgate._meant(v_rule, '{once,run,every,session,after,function}')
            || 'due is once, run, session, every <interval>, after <operation>, <operation>, or function <schema.name>'
        );
        return '{"due_rule": "once"}';  -- placeholder, so that the other settings are still checked
end;
$func$;
