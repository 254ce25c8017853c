/**
 * A boolean SQL expression: a delivery is for no push configuration, or its configuration is there and has its URL. The
 * credentials of one that was replaced meanwhile are for its new URL alone.
 */
export const HAS_ITS_CONFIG = `(deliveries.push_config_id IS NULL OR EXISTS (
  SELECT 1 FROM push_configs WHERE push_configs.turn_id = deliveries.turn_id
    AND push_configs.id = deliveries.push_config_id AND push_configs.url = deliveries.url))`;
