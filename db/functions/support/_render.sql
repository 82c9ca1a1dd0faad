-- Request templates: {asset.code}, {state.watermark}, {state.since}, {chunk.codes}, {param.x}, {run.date}, {job.key}.
-- Values are always URL-encoded in a URL, so that a key stays within its path segment or parameter. A segment of dots
-- cannot be encoded, because an intermediary may decode it: runners send no such request.

-- A rendered template for a body. A field without a value yields null if it is optional, otherwise an error that names
-- it.
create or replace function headgate._render(
    p_template text,
    p_asset headgate.assets,
    p_state headgate.asset_processing_state,
    p_params jsonb
)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_result text := '';
    v_piece record;
begin
    for v_piece in
        select
            p.field,
            p.is_optional,
            case
                when p.field is null then p.literal
                else headgate._field(p.field, p_asset, p_state, p_params)
            end as value
        from headgate._pieces(p_template) as p
        order by p.nth
    loop
        if v_piece.value is null and v_piece.is_optional then
            return null;
        elsif v_piece.value is null then
            perform headgate._raise(
                'HG017',
                headgate._field_error(v_piece.field, p_asset.code),
                'give the asset that attribute, or mark the field {...?} to leave the parameter out'
            );
        end if;
        v_result := v_result || v_piece.value;
    end loop;

    return v_result;
end;
$func$;
