-- How a provider's answers are classified. Rules are tried in file order, before the usual ones that apply to every
-- provider (see headgate.v_response_rules).

create or replace function headgate.put_rule(
    provider text,
    status text,
    outcome text,
    reason text,
    content_type text default null,
    body text default null,
    fault text default null,
    blocks text default null,
    charged boolean default null
)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
#variable_conflict use_variable
declare
    v_name constant text := format('%s/%s', provider, headgate._next_part('rule', provider));
begin
    perform headgate._check_reference('rule', v_name, 'provider', provider);
    return headgate._declare('rule', v_name, jsonb_build_object(
        'status', status,
        'outcome', outcome,
        'reason', reason,
        'content_type', content_type,
        'body', body,
        'fault', fault,
        'blocks', blocks,
        'charged', charged
    ));
end;
$func$;

comment on function headgate.put_rule is
    'Declare how answers are read; rules are tried in order. Returns created, unchanged, or changed and what.';
