using Azure.Messaging.ServiceBus;

namespace Threadkeep.Interop;

/// <summary>What goes wrong in Azure too: wrong names and keys, a busy server, cut connections.</summary>
public static class Trouble
{
    public static void AddTo(Checks checks, Bus bus)
    {
        checks.Add("a queue that does not exist is named as such, to senders and receivers", () => NoQueueAsync(bus));
        checks.Add("a wrong key is refused", () => WrongKeyAsync(bus));
        checks.Add("sessions are refused by name", () => SessionsAsync(bus));
        checks.Add("a busy server is told as busy; with retries the message gets through", () => BusyAsync(bus));
        checks.Add("senders and processors go on after their connections were cut, and lose nothing", () => CutAsync(bus));
    }

    private static async Task NoQueueAsync(Bus bus)
    {
        await using var client = bus.Connect();
        var error = await Checks.ThrowsAsync<ServiceBusException>(() =>
            client.CreateSender("nowhere").SendMessageAsync(Sending.Numbered(1))
        );
        Checks.Equal(ServiceBusFailureReason.MessagingEntityNotFound, error.Reason, "reason for a sender");
        error = await Checks.ThrowsAsync<ServiceBusException>(() => client.CreateReceiver("nowhere").ReceiveMessageAsync());
        Checks.Equal(ServiceBusFailureReason.MessagingEntityNotFound, error.Reason, "reason for a receiver");
    }

    private static async Task WrongKeyAsync(Bus bus)
    {
        await using var client = bus.Connect(bus.Connection.Replace("SharedAccessKey=", "SharedAccessKey=wrong"));
        await Checks.ThrowsAsync<UnauthorizedAccessException>(() =>
            client.CreateSender("send").SendMessageAsync(Sending.Numbered(1))
        );
    }

    private static async Task SessionsAsync(Bus bus)
    {
        await using var client = bus.Connect();
        var error = await Checks.ThrowsAsync<Exception>(() => client.AcceptNextSessionAsync("send"));
        Checks.That(error.Message.Contains("Sessions are not supported"), error.Message);
    }

    private static async Task BusyAsync(Bus bus)
    {
        await bus.ReplaceFaultsAsync(new { fault = "server-busy", rate = 1, times = 1, queue = "busy" });
        await using var client = bus.Connect();
        var error = await Checks.ThrowsAsync<ServiceBusException>(() =>
            client.CreateSender("busy").SendMessageAsync(Sending.Numbered(1))
        );
        Checks.Equal(ServiceBusFailureReason.ServiceBusy, error.Reason, "reason");
        Checks.That(error.IsTransient, "it is not called transient");
        await bus.ReplaceFaultsAsync();
        await client.CreateSender("busy").SendMessageAsync(Sending.Numbered(1));
        Checks.Equal(1, await bus.CountAsync("busy", "active"), "messages");
    }

    private static async Task CutAsync(Bus bus)
    {
        await bus.ReplaceFaultsAsync(new { fault = "cut", rate = 0.2, times = 6, queue = "cut" });
        await using var client = bus.ConnectPatiently();
        await using var processor = client.CreateProcessor("cut", new ServiceBusProcessorOptions { MaxConcurrentCalls = 4 });
        processor.ProcessMessageAsync += _ => Task.CompletedTask;
        processor.ProcessErrorAsync += _ => Task.CompletedTask;
        await processor.StartProcessingAsync();
        var sender = client.CreateSender("cut");
        for (var number = 0; number < 40; number++) await sender.SendMessageAsync(Sending.Numbered(number));
        await Checks.UntilAsync(async () => await bus.TotalAsync("cut", "completed") == 40);
        await processor.StopProcessingAsync();
        await bus.ReplaceFaultsAsync();
        Checks.Equal(0, await bus.CountAsync("cut", "active"), "messages left");
    }
}
