-- The service's items. Once applied this file is frozen: write a change as a new file, 0002_what_it_does.sql.

create table __plan__.items (
    asset_id bigint not null,
    title text not null,
    price numeric not null,
    constraint items_pkey primary key (asset_id)
);

comment on table __plan__.items is 'Items, as last read.';
comment on column __plan__.items.asset_id is 'The item, as in headgate.v_assets.';
comment on column __plan__.items.title is 'Its title.';
comment on column __plan__.items.price is 'Its price.';
