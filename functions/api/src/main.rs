//! The API's entry point: wires what the handlers need and serves.

use api::{Api, Config};

#[tokio::main]
async fn main() -> Result<(), lambda::Error> {
    lambda::telemetry::init();
    let config = Config::from_env()?;
    let api = Api::new(&config, &lambda::aws_config().await)?;
    api::event::serve(api::router(api)).await
}
