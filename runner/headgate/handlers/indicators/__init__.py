"""Technical indicators of daily bars: arithmetic over blocks of assets, which knows no provider."""
