-- Listings are looked up by their asset when lists are compared; the exclusion constraints' indexes do not serve for that.

create index listings_asset_idx on equities.listings (asset_id);
comment on index equities.listings_asset_idx is 'Finds the dates of one listing.';
