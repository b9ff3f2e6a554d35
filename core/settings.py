"""Everything the environment decides, read once into one frozen value."""

from decimal import Decimal
from functools import cached_property
from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.errors import Misconfigured

CHECKOUT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Each field is the variable ENTREPOT_<FIELD>; see .env.example for what each is for."""

    model_config = SettingsConfigDict(env_prefix="ENTREPOT_", frozen=True, extra="ignore")

    data: Path = CHECKOUT / "var"
    database_url: str = ""
    amqp_url: str = ""
    amqp_queue_type: str = Field("classic", pattern="^(classic|quorum)$")
    private_hosts: str = ""
    insecure_shops: str = ""
    shopify_client_id: str = ""
    shopify_client_secret: str = Field("", repr=False)
    listen: str = "127.0.0.1"
    port: int = Field(8010, ge=0, le=65535)
    workers: int = Field(1, ge=1, le=64)
    threads: int = Field(8, ge=1, le=64)
    upload_limit_mb: int = Field(1024, ge=1)
    lease_seconds: float = Field(60, ge=2, le=600)
    vault_keys: str = ""
    log_level: str = "INFO"
    public_url: str = ""
    currency: str = Field("EUR", pattern="^[A-Z]{3}$")
    vat_percent: Decimal = Field(Decimal(19), ge=0, le=100, decimal_places=2)
    return_days: int = Field(14, ge=0, le=365)
    buyer_days: int = Field(30, ge=0, le=3650)
    scarce_stock: int = Field(50, ge=0)
    bank_holder: str = "Entrepot"
    bank_iban: str = ""
    bank_bic: str = ""
    bank_town: str = ""
    bank_country: str = Field("", pattern="^([A-Z]{2})?$")
    rates_url: str = ""
    rate_days: int = Field(7, ge=1, le=365)

    @cached_property
    def private_host_names(self) -> frozenset[str]:
        """Hosts the operator allows though they are private: `ENTREPOT_PRIVATE_HOSTS=shop.lan,127.0.0.1`."""
        return frozenset(name.strip().lower() for name in self.private_hosts.split(",") if name.strip())

    @cached_property
    def insecure_shop_names(self) -> frozenset[str]:
        """Hosts of shops that the operator lets be reached over plain http: `ENTREPOT_INSECURE_SHOPS=shop.lan`."""
        return frozenset(name.strip().lower() for name in self.insecure_shops.split(",") if name.strip())

    @property
    def own_url(self) -> str:
        """Where shops reach the hub: ENTREPOT_PUBLIC_URL, else its own address on this machine."""
        return (self.public_url or f"http://{self.listen}:{self.port}").rstrip("/")

    @property
    def archive(self) -> Path:
        """Where received files are kept, once each, by their hash."""
        return self.data / "archive"


def load() -> Settings:
    """The settings of this process. Raises Misconfigured naming the variable at fault."""
    try:
        settings = Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "ENTREPOT_" + str(first["loc"][0]).upper()
        raise Misconfigured(f"{name} is not usable: {first['msg']}. Mend it in the environment.") from None
    return settings.model_copy(update={"data": settings.data.expanduser().absolute()})
