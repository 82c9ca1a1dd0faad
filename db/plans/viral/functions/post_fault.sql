-- What is wrong with a post; null: nothing.

create or replace function viral.post_fault(p_post jsonb)
returns text
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when jsonb_typeof(p_post) <> 'object' then 'it is no object'
        when coalesce(p_post ->> 'post_url', '') = '' then 'it has no post_url'
        when jsonb_typeof(p_post -> 'content') is distinct from 'string' then 'it has no content'
        when not pg_input_is_valid(coalesce(p_post ->> 'timestamp', ''), 'timestamptz') then 'it has no timestamp'
        when not isfinite((p_post ->> 'timestamp')::timestamptz) then 'it has no timestamp'
        when not coalesce(p_post @@ '$.likes >= 0 && $.comments >= 0 && $.shares >= 0', false)
            then 'likes, comments or shares is no count'
        when not (
            pg_input_is_valid(p_post ->> 'likes', 'bigint') and pg_input_is_valid(p_post ->> 'comments', 'bigint')
            and pg_input_is_valid(p_post ->> 'shares', 'bigint')
        ) then 'likes, comments or shares is no count'
        when not coalesce(p_post @@ '$.engagement_rate >= 0 && $.engagement_rate <= 1', false)
            then 'engagement_rate is not between 0 and 1'
    end;
$func$;

comment on function viral.post_fault(jsonb) is 'Why a post that the scraper sent is none; null: it is one.';
