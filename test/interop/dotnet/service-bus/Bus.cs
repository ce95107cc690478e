using System.Net.Http.Json;
using System.Text.Json;
using Azure.Messaging.ServiceBus;

namespace Threadkeep.Interop;

/// <summary>The broker: clients of it, its queues as the control API shows them, its faults.</summary>
public sealed class Bus(string connection, Uri control)
{
    private static readonly ServiceBusClientOptions Impatient = new()
    {
        RetryOptions = new ServiceBusRetryOptions { MaxRetries = 0, TryTimeout = TimeSpan.FromSeconds(10) },
    };
    private static readonly ServiceBusClientOptions Patient = new()
    {
        RetryOptions = new ServiceBusRetryOptions
        {
            Mode = ServiceBusRetryMode.Fixed,
            Delay = TimeSpan.FromMilliseconds(50),
            MaxRetries = 20,
            TryTimeout = TimeSpan.FromSeconds(3),
        },
    };
    private readonly HttpClient _http = new() { BaseAddress = control };

    public string Connection => connection;

    /// <summary>Without retries: an error is seen at once.</summary>
    public ServiceBusClient Connect(string? otherConnection = null) => new(otherConnection ?? connection, Impatient);

    public ServiceBusClient ConnectPatiently() => new(connection, Patient);

    public Task<long> CountAsync(string queue, string what) => NumberAsync(queue, counts => counts.GetProperty(what));

    public Task<long> TotalAsync(string queue, string what) =>
        NumberAsync(queue, counts => counts.GetProperty("totals").GetProperty(what));

    public async Task ReplaceFaultsAsync(params object[] rules)
    {
        var response = await _http.PutAsJsonAsync("/_local/faults", rules);
        response.EnsureSuccessStatusCode();
    }

    private async Task<long> NumberAsync(string queue, Func<JsonElement, JsonElement> select)
    {
        var all = await _http.GetFromJsonAsync<JsonElement>("/_local/queues");
        var named = all.GetProperty("queues").EnumerateArray().Single(each => each.GetProperty("name").GetString() == queue);
        return select(named).GetInt64();
    }
}
